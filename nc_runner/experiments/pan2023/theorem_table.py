"""What Theorem 2.3.1 of Pan 2023 speaks of, a row a probe."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Results


def probes(results: Results) -> pd.DataFrame:
    """One row a trial and epoch: the columns of the trials' table and every metric, where eps is defined.

    ``intra_gap`` is 1 - min intra, ``inter_gap`` max inter + 1/(C-1), ``nc3_gap`` 1 - the least cosine of a classifier
    row, all of the augmented features; NaN where it was not measured.
    """
    table = results.by_epoch()
    table = table.dropna(subset=["eps"]) if "eps" in table else table.iloc[:0].assign(eps=0.0)
    absent = pd.Series(np.nan, table.index)
    table["alpha_beta"] = table.get("alpha", absent) * table.get("beta", absent)
    table["intra_gap"] = 1 - table.get("min_intra_cosine_augmented", absent)
    table["inter_gap"] = table.get("max_inter_cosine_augmented", absent) + 1 / (results.config.data.classes - 1)
    table["nc3_gap"] = 1 - table.get("min_duality_cosine_augmented", absent)
    return table.reset_index(drop=True)


def last_probes(table: pd.DataFrame) -> pd.DataFrame:
    """The last row of each trial."""
    return table.loc[table.groupby("trial")["epoch"].idxmax()]

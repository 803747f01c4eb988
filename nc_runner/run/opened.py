"""A run read back for a notebook: tables, claims and weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results
from nc_runner.record.folder import RunFolder
from nc_runner.run.replot import existing_folder, run_folders
from nc_runner.run.results import read_results


@dataclass(frozen=True)
class OpenedRun:
    """What a run folder holds, or the several that ``nc-run plot`` or a multirun put together.

    Attributes:
        path: the folder.
        config: of the run; of several, of the first.
        trials: one row a trial: ``id``, ``status``, ``seed``, what was varied by its dotted key, ``loss`` and so on.
        metrics: every measurement: ``trial``, ``epoch``, ``layer`` (from 1; missing: the whole network), ``metric``,
            ``value``.
        claims: one row a claim: ``id``, ``short``, ``statement``, ``source``, ``expected``, ``measured``, ``number``,
            ``needs``, ``verdict``; no row before a run has been judged.
    """

    path: Path
    config: Config
    trials: pd.DataFrame
    metrics: pd.DataFrame
    claims: pd.DataFrame
    _folders: list[RunFolder]

    def final(self) -> pd.DataFrame:
        """One row a finished trial: the columns of ``trials``, and each metric at its last epoch and last layer."""
        return self._results.final()

    def by_epoch(self) -> pd.DataFrame:
        """One row a finished trial and epoch: the columns of ``trials``, and each metric at its last layer."""
        return self._results.by_epoch()

    def by_layer(self, *metrics: str, final: bool = True) -> pd.DataFrame:
        """One row a finished trial and layer at its last epoch, or a row an epoch too: each of the ``metrics``.

        Args:
            metrics: names of metrics; all that are measured by layer, where none is given.
            final: the last epoch alone.

        Raises:
            UserError: a metric that is not measured by layer.
        """
        there = sorted(self.metrics.dropna(subset="layer")["metric"].unique())
        for name in metrics:
            if name not in there:
                raise UserError(f"{name}: is not measured by layer in {self.path}; allowed are {', '.join(there)}.")
        chosen = metrics or there
        return self._results.final_by_layer(*chosen) if final else self._results.by_layer(*chosen)

    def weights(self, trial: str) -> dict[str, Tensor]:
        """The tensors of a trial's final network, by name: ``1.weight`` [out, in] and so on, features where saved.

        Raises:
            UserError: no such trial, or its weights were not saved.
        """
        from safetensors.torch import load_file

        for folder in self._folders:
            if (path := folder.path / "weights" / f"{trial}.safetensors").is_file():
                return load_file(path)
        known = self.trials["id"].tolist()
        allowed = f"one of {', '.join(known[:5])}{', ...' * (len(known) > 5)}"
        if trial in known:
            raise UserError(
                f"{trial}: its weights are not in {self.path}/weights; a run with save.weights=true has them."
            )
        raise UserError(f"{trial}: is no trial of {self.path}; allowed is {allowed}.")

    @property
    def _results(self) -> Results:
        return Results(self.config, self.trials, self.metrics)


def open_run(folder: str | Path) -> OpenedRun:
    """Read a run back: ``run = nc_runner.open_run("outputs/bn_wd_sweep/2026-11-26_10-00-00")``.

    Args:
        folder: what nc-run made: of a run, finished or not; of a multirun; or of ``nc-run plot`` with several.

    Raises:
        UserError: no such folder, not made by nc-run, or unreadable.
    """
    path = existing_folder(str(folder))
    folders = [RunFolder(each) for each in run_folders(path)]
    results = read_results(folders)
    claims = RunFolder(path).read_json("claims.json") if (path / "claims.json").exists() else []
    return OpenedRun(path, results.config, results.trials, results.metrics, pd.DataFrame(claims), folders)

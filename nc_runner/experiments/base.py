"""What an experiment is: three plain functions and a short record; and what they are given and give back."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from torch import Tensor

from nc_runner.config.compose import values_on_axes
from nc_runner.config.schema import Config
from nc_runner.experiments.claim import Claim, Kind, Need, Statement, Verdict
from nc_runner.experiments.papers import Paper
from nc_runner.figures.drawing import Drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Claim", "Experiment", "Kind", "Measurement", "Need", "Paper", "Results", "Statement", "Verdict"]

T = TypeVar("T")

Measurement = tuple[int | None, str, Tensor]
"""(layer from 1, or None for the whole network; name of the metric; its value for each trial of the stack [T])."""


@dataclass(frozen=True)
class Results:
    """What was measured. The tables are not to be changed: wide ones made of them are kept.

    Attributes:
        config: that of the run; where runs are put together, what all these trials share.
        trials: one row a trial.
        metrics: the tidy table (trial, epoch, layer, metric, value).
        configs: the config of the run of each trial, where there are several.
    """

    config: Config
    trials: pd.DataFrame
    metrics: pd.DataFrame
    configs: Mapping[str, Config] = field(default_factory=dict)
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` makes of these results, made at the first call: a dozen claims ask for the same."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    @property
    def varied(self) -> list[str]:
        """The keys that the table of trials has a column of: the axes of the grid."""
        return [str(column) for column in self.trials if "." in str(column)]

    @property
    def grid(self) -> dict[str, list[Any]]:
        """The values that each key of the experiment's grid takes."""
        return values_on_axes(self.config)

    @property
    def taken(self) -> dict[str, list[Any]]:
        """The values that each varied key, and the seed, have in the trials."""
        return {key: self.trials[key].tolist() for key in ("seed", *self.varied)}

    def only(self, rows: pd.Series[bool]) -> Results:
        """The results of some trials, by a mask over the rows of ``trials``."""
        trials = self.trials[rows]

        def chosen() -> Results:
            return replace(self, trials=trials, metrics=self.metrics[self.metrics["trial"].isin(trials["id"])])

        return self.once(("only", *trials["id"]), chosen)

    def final(self) -> pd.DataFrame:
        """One row a finished trial: the columns of ``trials`` and each metric of its last epoch at its last layer."""
        return self.once("final", self._final).copy()

    def _final(self) -> pd.DataFrame:
        tidy = self.metrics.sort_values(["epoch", "layer"], kind="stable", na_position="first")
        last = tidy.groupby(["trial", "metric"], sort=False)["value"].last().unstack("metric")
        known = [column for column in self.trials.columns if column not in last.columns]
        table = self.trials[known].join(last, on="id", how="inner")
        return table[table["status"] != "unfinished"].reset_index(drop=True)

    def by_epoch(self) -> pd.DataFrame:
        """One row a finished trial and epoch: the columns of ``trials``, ``epoch``, each metric at its last layer."""
        return self.once("by_epoch", self._by_epoch).copy()

    def _by_epoch(self) -> pd.DataFrame:
        tidy = self.metrics.sort_values("layer", kind="stable", na_position="first")
        wide = tidy.groupby(["trial", "epoch", "metric"], sort=False)["value"].last().unstack("metric").reset_index()
        known = [column for column in self.trials.columns if column not in wide.columns]
        table = wide.merge(self.trials[known], left_on="trial", right_on="id")
        kept = table[table["status"] != "unfinished"]
        return kept.sort_values(["trial", "epoch"], kind="stable").reset_index(drop=True)

    def by_layer(self, *metrics: str) -> pd.DataFrame:
        """One row a finished trial, epoch and layer: the columns of ``trials``, ``epoch``, ``layer``, each metric."""
        return self.once(("by_layer", *metrics), lambda: self._by_layer(*metrics)).copy()

    def _by_layer(self, *metrics: str) -> pd.DataFrame:
        chosen = self.metrics[self.metrics["metric"].isin(metrics)].dropna(subset="layer")
        wide = chosen.set_index(["trial", "epoch", "layer", "metric"])["value"].unstack("metric").reset_index()
        kept = self.trials[self.trials["status"] != "unfinished"].drop(columns=["epochs", *metrics], errors="ignore")
        table = kept.merge(wide, left_on="id", right_on="trial", sort=False).drop(columns="trial")
        return table.astype({"layer": "int64"})

    def final_by_layer(self, *metrics: str) -> pd.DataFrame:
        """As :meth:`by_layer`, at each trial's last epoch."""
        table = self.by_layer(*metrics)
        return table[table["epoch"] == table.groupby("id")["epoch"].transform("max")].reset_index(drop=True)


@dataclass(frozen=True)
class Experiment:
    """One figure (or pair) of a paper.

    Attributes:
        paper: key of :data:`nc_runner.experiments.papers.PAPERS`; in another package a name of one's own.
        figure: the figure's number in the paper.
        summary: one line for ``nc-run list``.
        cost: time at scale=paper on two cores, measured, or an estimate that says so.
        measure: the network, of a kind the experiment's configs name (None where nothing is trained), inputs [N, D]
            and labels [N] to measurements. A trained experiment yields "loss" and "accuracy" of the whole network
            (layer None) among them.
        figures: figures by file name, each with its caption and notes.
        claims: the paper's statements, each with a verdict.
        headline: metrics that trials.csv shows beside loss and accuracy.
        movie: the frames of animated figures, by file name; drawn one at a time and closed when used.
        check: refuses, with a UserError, a trial's config that the experiment cannot run; nothing is written by then.
        warnings: what makes the results less sure than they look, in a sentence each.
        reference: the paper, where it is none of these.
        any_network: whether it measures and tells of networks of one's own too, model=own, of which layer 0 is what
            enters the last linear layer and layer 1 the logits.

    Raises:
        TypeError: what lists show of it is no text.
    """

    paper: str
    figure: str
    summary: str
    cost: str
    measure: Callable[[Any, Tensor, Tensor, Config], Iterable[Measurement]]
    figures: Callable[[Results], Mapping[str, Drawing]]
    claims: Callable[[Results], list[Claim]]
    headline: Sequence[str] = ()
    movie: Callable[[Results], Mapping[str, Iterable[Figure]]] | None = None
    check: Callable[[Config], None] | None = None
    warnings: Callable[[Results], list[str]] | None = None
    reference: Paper | None = None
    any_network: bool = False

    def __post_init__(self) -> None:
        for name in ("paper", "figure", "summary", "cost"):
            if not isinstance(value := getattr(self, name), str):
                raise TypeError(f"{name}={value!r} is no text")

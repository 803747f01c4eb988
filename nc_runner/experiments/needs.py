"""What statements of several experiments need before they can be judged, each a function of the trials in question.

A function that takes arguments gives back such a function: ``needs=(interpolates, decay_times(), seeds(3))``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd

from nc_runner.config.choices import DataName
from nc_runner.config.compose import changed_keys
from nc_runner.config.keys import flatten
from nc_runner.experiments.base import Results
from nc_runner.experiments.claim import Need
from nc_runner.experiments.decay import KNOWN, decay_times_of

DECAY_TIMES = 10.0  # [choice] after which e^-10 of a start is left

Check = Callable[[Results], Need]
_UNUSABLE = ("diverged", "unfinished")


def interpolates(results: Results) -> Need:
    """Every trial fits its training set: reaches ``train.target_accuracy``."""
    target = results.config.train.target_accuracy
    required = f"training accuracy {target:g} or more in every trial"
    trials = results.trials
    fits = trials["status"] == "interpolated"
    found = f"{fits.sum()} of {len(trials)} trials"
    if "accuracy" in trials and (~fits).any():
        found += f", the least {trials['accuracy'].min():.4f}"
    return Need("interpolates", required, found, bool(fits.all()) and len(trials) > 0)


def finished(results: Results) -> Need:
    """There is a trial, and every trial was trained to its end without diverging."""
    usable = ~results.trials["status"].isin(_UNUSABLE)
    found = f"{usable.sum()} of {len(usable)}"
    return Need("finished", "every trial trained to its end", found, bool(usable.all()) and len(usable) > 0)


@cache
def seeds(least: int) -> Check:
    """As many seeds at every point of the grid, in usable trials."""

    def need(results: Results) -> Need:
        trials = results.trials[~results.trials["status"].isin(_UNUSABLE)]
        counts = (
            trials.groupby(results.varied, dropna=False)["seed"].nunique()
            if results.varied
            else pd.Series([trials["seed"].nunique()])
        )
        fewest = int(counts.min()) if len(counts) else 0
        return Need("seeds", f"{least} or more at each point", f"{fewest}", fewest >= least)

    return need


@cache
def grid_complete(*keys: str) -> Check:
    """The trials take every value that the experiment's grid has of these keys; of all keys, where none is named."""

    def need(results: Results) -> Need:
        trials = results.trials[results.trials["status"] != "unfinished"]
        missing = []
        for key, values in results.grid.items():
            if keys and key not in keys:
                continue
            there = set(map(_plain, trials[key])) if key in trials else set()
            missing += [f"{key}={_plain(value)}" for value in values if _plain(value) not in there]
        of = ", ".join(keys) or "the whole grid"
        return Need(
            "grid complete", f"every value of {of}", f"missing {', '.join(missing)}" if missing else "all", not missing
        )

    return need


@cache
def decay_times(least: float = DECAY_TIMES) -> Check:
    """Trained for as many decay times, 2 eta lambda t / (1 - momentum), of the slowest regularised parameter."""

    def need(results: Results) -> Need:
        times = decay_times_of(results)
        required = f"{least:g} or more in every trial"
        if len(times) and times.isna().any():
            others = ", ".join(sorted(set(_of(results, "train.optimizer")) - {of.name for of in KNOWN}))
            return Need("decay times", required, f"not known with train.optimizer={others}", met=False)
        shortest = float(times.min()) if len(times) else 0.0
        found = f"{shortest:.3g} at the least"
        if 0 < shortest < least and "epochs" in results.trials:
            epochs = float(results.trials.loc[times == shortest, "epochs"].iloc[0])
            found += f"; {least:g} take about {math.ceil(epochs * least / shortest):,} epochs"
        return Need("decay times", required, found, shortest >= least)

    return need


@cache
def decay_times_since_it_fits(least: float = DECAY_TIMES) -> Check:
    """As many since each trial's last probe with a training accuracy below ``train.target_accuracy``.

    Under weight decay norms shrink and the same steps turn ever more, until training is thrown out of its minimum
    (Lobacheva et al. 2021, NeurIPS, of networks with BatchNorm). What was before does not count.
    """

    def need(results: Results) -> Need:
        required = f"{least:g} or more since each trial's last probe that did not fit"
        if results.trials.empty or not (results.metrics["metric"] == "accuracy").any():
            return Need("decay times since it fits", required, "nothing measured", met=False)
        table = results.by_epoch()
        unfit = table[~(table["accuracy"] >= results.config.train.target_accuracy)]
        last = results.trials["id"].map(unfit.groupby("id")["epoch"].max()).fillna(0).astype(float)
        times = decay_times_of(results) - decay_times_of(results, last)
        found = f"{times.min():.3g} at the least"
        return Need("decay times since it fits", required, found, bool((times >= least).all()))

    return need


def plain_network(results: Results) -> Need:
    """The network and the loss that theories of collapse speak of: one of ours, BatchNorm everywhere or none, lines on
    either side of 0 as activations, no dropout, labels that are not smoothed."""
    need = _at("network of the theory", results, _THEORY)
    return replace(need, found="model.name=own", met=False) if "own" in _of(results, "model.name") else need


def plain_sgd(results: Results) -> Need:
    """Trained as the recursions of SGD assume: heavy-ball momentum and steps, the gradient of the loss as it is."""
    return _at("plain SGD", results, _PLAIN)


def data_as_drawn(results: Results) -> Need:
    """The data as their name says, with classes and labels as they come."""
    return _at("data as drawn", results, {"data.label_noise": (0.0,), "data.imbalance": (1.0,)})


_THEORY: Mapping[str, tuple[Any, ...]] = {
    "model.norm": ("affine", "plain", "none"),
    "model.norm_on": (None,),
    "model.activation": ("relu", "leaky_relu", "linear"),
    "model.dropout": (0.0,),
    "train.label_smoothing": (0.0,),
}
_PLAIN: Mapping[str, tuple[Any, ...]] = {
    "train.optimizer": ("sgd", "gd"),
    "train.schedule": ("steps",),
    "train.lr_warmup": (0.0,),
    "train.label_smoothing": (0.0,),
    "train.gradient_clip": (None,),
    "model.dropout": (0.0,),
}


def _at(name: str, results: Results, allowed: Mapping[str, tuple[Any, ...]]) -> Need:
    """Every key has one of its allowed values in every trial."""
    found = {key: sorted({_plain(v) for v in _of(results, key)} - set(map(_plain, of))) for key, of in allowed.items()}
    others = [f"{key}={','.join(values)}" for key, values in found.items() if values]
    required = ", ".join(f"{key}={' or '.join(map(_plain, of))}" for key, of in allowed.items())
    return Need(name, required, ", ".join(others) or "all", not others)


def _of(results: Results, key: str) -> list[Any]:
    """The value of a key in each trial."""
    if key in results.trials:
        return [None if value != value else value for value in results.trials[key]]  # a table has NaN for null
    return [flatten(results.config)[key]]


@cache
def stationary(column: str, most: float) -> Check:
    """A measured column of the final table is at most ``most`` in every trial."""

    def need(results: Results) -> Need:
        final = results.final()
        required = f"{column} at most {most:g} in every trial"
        if column not in final or final.empty:
            return Need("stationary", required, "not measured", met=False)
        worst = float(final[column].max(skipna=False))
        return Need("stationary", required, f"{worst:.2g} at the most", worst <= most)

    return need


def data_is(name: DataName) -> Check:
    """The statement is about this data set, and every trial was trained on it."""

    def need(results: Results) -> Need:
        used = sorted(set(results.trials.get("data.name", []))) or [results.config.data.name.name]
        drawn = data_as_drawn(results)
        found = f"data={','.join(used)}" + ("" if drawn.met else f", {drawn.found}")
        return Need("the statement's data", f"data={name.name}", found, used == [name.name] and drawn.met)

    return need


@cache
def at_paper_sizes(*besides: str) -> Check:
    """Every key is as at scale=paper, but for those named ``besides`` (``seeds`` is one) and what they begin with."""

    def need(results: Results) -> Need:
        changed = [key for key in changed_keys(results.config, results.taken) if not _within(key, besides)]
        return Need(
            "at the paper's sizes", "scale=paper", f"changed: {', '.join(changed)}" if changed else "all", not changed
        )

    return need


def at_least(name: str, limits: Mapping[str, float]) -> Check:
    """Numbers of the config that the statement's hypotheses bound from below, by dotted key."""

    def need(results: Results) -> Need:
        flat = flatten(results.config)
        values = {
            key: min(map(float, results.trials[key]))
            if key in results.trials and len(results.trials)
            else float(flat[key])
            for key in limits
        }
        required = ", ".join(f"{key} at least {limit:g}" for key, limit in limits.items())
        found = ", ".join(f"{key}={value:g}" for key, value in values.items())
        return Need(name, required, found, all(values[key] >= limit for key, limit in limits.items()))

    return need


def _within(key: str, names: tuple[str, ...]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)

"""Which trials may be drawn in one figure: those that differ in nothing but its own axes and the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from nc_runner.config.compose import at_paper_scale, values_on_axes
from nc_runner.config.keys import axis_keys, schema
from nc_runner.config.keys import replace as with_keys
from nc_runner.config.schema import Config
from nc_runner.errors import UserError, did_you_mean
from nc_runner.experiments.base import Results


@dataclass(frozen=True)
class Part:
    """Trials of one set of figures and claims.

    Attributes:
        results: with the config that these trials share.
        said: the values that tell them from the other parts, as ``model.width = 200``; empty where there is one part.
        suffix: the same for the names of files, as ``_width_200``.
    """

    results: Results
    said: str = ""
    suffix: str = ""


def parts(results: Results) -> list[Part]:
    """The results by the values of ``figures.by``, and of what else their trials differ in that no figure shows."""
    keys = [key for key in results.config.figures.by if key in results.trials]
    keys += unlike_within(results, keys)
    if not keys:
        return [Part(shared(results))]
    found = []
    for _, rows in results.trials.groupby(by_text(results, keys), sort=False):
        own = results.only(results.trials["id"].isin(rows["id"]))
        values = {key: plain(rows[key].iloc[0]) for key in keys}
        said = ", ".join(f"{key} = {value}" for key, value in values.items())
        suffix = "".join(f"_{key.split('.')[-1]}_{in_file_name(value)}" for key, value in values.items())
        found.append(Part(shared(own, keys), said, suffix))
    return found


def refuse_unlike(results: Results) -> None:
    """Refuse trials that no one figure can show and that nobody asked to part, and keys that do not part them.

    Raises:
        UserError: naming the keys and what to type.
    """
    config = results.config
    varied = [key for key in results.varied if differs(results, key)]
    for option, keys in (("by", config.figures.by), ("x", [config.figures.x] if config.figures.x else [])):
        for key in keys:
            if key not in varied:
                raise UserError(f"{option}={key}: does not vary in these runs; {did_you_mean(key, [*varied])}")
    keys = [*config.figures.by, *([config.figures.x] if config.figures.x in unlike(results) else [])]
    left = unlike_within(results, keys)
    if not left:
        return
    enough = next((key for key in left if not unlike_within(results, [*keys, key])), ",".join(left))
    verb = "are no axes" if len(left) > 1 else "is no axis"
    told = " and ".join(f"{key} ({', '.join(values_of(results, key))})" for key in left)
    raise UserError(
        f"plot: the trials differ in {told}, which {verb} of the figures of {config.experiment}; allowed are "
        f"by={','.join([*keys, enough])}, for a set of figures at each value, and the folders one by one."
    )


def unlike(results: Results) -> list[str]:
    """The keys that differ among these trials and are no axis of the experiment's figures.

    What comes with a data set, as its number of classes, is no key of its own where data sets are an axis.
    """
    axes = own_axes(results.config)
    found = [key for key in results.varied if key not in axes and differs(results, key)]
    if "data.name" not in axes or "data.name" not in results.trials:
        return found
    name = results.trials["data.name"]
    return [k for k in found if not k.startswith("data.") or (as_text(results, k).groupby(name).nunique() > 1).any()]


def unlike_within(results: Results, keys: Sequence[str]) -> list[str]:
    """As :func:`unlike`, among trials that agree in ``keys``."""
    known = [key for key in keys if key in results.trials]
    if not known:
        return unlike(results)
    found: dict[str, None] = {}
    for _, rows in results.trials.groupby(by_text(results, known), sort=False):
        found |= dict.fromkeys(unlike(results.only(results.trials["id"].isin(rows["id"]))))
    return [key for key in found if key not in known]


def own_axes(config: Config) -> set[str]:
    """The keys that the figures of a config's experiment are made to show: the axes of its grid."""
    try:
        return set(values_on_axes(at_paper_scale(config)))
    except UserError:  # an experiment that is no longer there
        return set(values_on_axes(config))


def shared(results: Results, apart: Sequence[str] = ()) -> Results:
    """The results with the config of their first trial's run, and in it what all these trials have in common."""
    if not len(results.trials):
        return results
    config = results.configs.get(str(results.trials["id"].iloc[0]), results.config)
    same = {key: value_of(results, key) for key in results.varied if key in schema() and not differs(results, key)}
    grid = {axis: points for axis, points in config.grid.items() if not set(axis_keys(axis)) & set(apart)}
    return replace(results, config=replace(with_keys(config, same), grid=grid, figures=results.config.figures))


def value_of(results: Results, key: str) -> Any:
    """A varied key's value in the first trial, as the schema has it: a table has text for a list and NaN for null."""
    value = results.trials[key].iloc[0]
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return yaml.safe_load(value) if value.startswith("[") else value
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def by_text(results: Results, keys: Sequence[str]) -> list[Any]:
    """Columns to group by: a missing value is one of its own."""
    return [as_text(results, key) for key in keys]


def as_text(results: Results, key: str) -> Any:
    """A varied key's values, as a person would write them."""
    return results.trials[key].map(plain)


def differs(results: Results, key: str) -> bool:
    """Whether a varied key has several values."""
    return bool(as_text(results, key).nunique() > 1)


def values_of(results: Results, key: str, most: int = 4) -> list[str]:
    """The values of a varied key, or the first of many."""
    values = list(dict.fromkeys(as_text(results, key)))
    return values if len(values) <= most else [*values[: most - 1], "..."]


def plain(value: Any) -> str:
    """A value as a person would write it."""
    if value is None or value != value:
        return "null"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    return f"{value:g}" if hasattr(value, "dtype") and value.dtype.kind in "if" else str(value)


def in_file_name(value: str) -> str:
    """A value with letters alone that a file's name may have and LaTeX takes."""
    return "".join(letter if letter.isalnum() or letter in "-+" else "p" if letter == "." else "_" for letter in value)

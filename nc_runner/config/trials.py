"""From a config to its trials. A trial is one point of the grid with one seed: one network to train."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nc_runner.config.check import check
from nc_runner.config.choices import IMAGE_DATA, ModelName
from nc_runner.config.keys import axis_keys, flatten, replaced
from nc_runner.config.schema import WITHOUT_EFFECT, WITHOUT_EFFECT_AT, Config, DataConfig
from nc_runner.errors import UserError


@dataclass(frozen=True)
class Trial:
    """One network to train.

    Attributes:
        id: a short hash of ``keys`` and the seed.
        seed: of the initial weights and of the order of the samples.
        varied: the values of the grid's axes, by dotted key.
        config: the config of this point of the grid.
        keys: what of it decides the trial's numbers, by dotted key: see :func:`effective`.
    """

    id: str
    seed: int
    varied: dict[str, Any]
    config: Config
    keys: dict[str, Any]


def make_trials(
    config: Config, overridden: Sequence[str] = (), checksum: Callable[[DataConfig], str | None] | None = None
) -> list[Trial]:
    """Every point of the grid with every seed, in the grid's order, the seed running fastest.

    ``checksum`` gives that of a set of images, by whose content, not name, a trial is known. Without it, or where it
    gives None, only what was asked for is known.

    An axis of several keys joined by commas has a list of their values at each point. An axis one of whose keys the
    command line set (``overridden``) has the config's own values alone. ``varied`` keeps every key of the experiment's
    axes, so that tables of several runs fit together.

    Raises:
        UserError: a value of the grid that the schema refuses.
    """
    base = flatten(config)
    axes: list[list[dict[str, Any]]] = []
    for axis, values in config.grid.items():
        keys = axis_keys(axis)
        points = values if len(keys) > 1 else [[value] for value in values]
        if any(key in overridden for key in keys):
            points = [[base[key] for key in keys]]
        elif config.model.name is ModelName.own and (of_model := [key for key in keys if key.startswith("model.")]):
            raise UserError(
                f"grid: {of_model[0]} is varied, and model.name=own is as its class makes it; allowed is one value, "
                f"{of_model[0]}={base[of_model[0]]} for example."
            )
        axes.append([dict(zip(keys, point, strict=True)) for point in points])
    grid = [{key: value for part in point for key, value in part.items()} for point in itertools.product(*axes)]
    trials = []
    for varied, trial_config in zip(grid, replaced(config, grid), strict=True):
        check(trial_config)
        flat = flatten(trial_config)
        images = trial_config.data.name in IMAGE_DATA
        seen = checksum(trial_config.data) if checksum and images else None
        at, deciding = {key: flat[key] for key in varied}, effective(flat, seen)
        trials += [Trial(trial_id(deciding, seed), seed, at, trial_config, deciding) for seed in config.seed_list]
    return trials


def effective(flat: dict[str, Any], images: str | None = None) -> dict[str, Any]:
    """Of a config's dotted keys those that decide a trial's numbers, without those on where and how it runs.

    Where the checksum of the ``images`` that a trial sees is known, it stands for all that says where they come from.
    """
    deciding = {
        key: value
        for key, value in flat.items()
        if not any(key == name or key.startswith(f"{name}.") for name in WITHOUT_EFFECT)
        and WITHOUT_EFFECT_AT.get(key) != value
    }
    if images is None:
        return deciding
    seen = {"data.sha256": images, "data.classes": flat["data.classes"], "data.samples": flat["data.samples"]}
    return {key: value for key, value in deciding.items() if not key.startswith("data.")} | seen


def trial_id(keys: dict[str, Any], seed: int) -> str:
    """A short hash of what would change the trial's numbers: never of paths, device or logging."""
    text = json.dumps(keys | {"seed": seed}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]

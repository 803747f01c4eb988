"""From a config to its trials. A trial is one point of the grid with one seed: one network to train."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from nc_runner.config.check import check
from nc_runner.config.keys import axis_keys, flatten, replace
from nc_runner.config.schema import WITHOUT_EFFECT, Config


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


def make_trials(config: Config, overridden: Sequence[str] = ()) -> list[Trial]:
    """Every point of the grid with every seed, in the grid's order, the seed running fastest.

    An axis of several keys joined by commas has a list of their values at each point. Where the command line set a key
    of an axis (``overridden``), the axis has the config's own values alone. ``varied`` keeps every key of the
    experiment's axes, so that tables of several runs fit together.

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
        axes.append([dict(zip(keys, point, strict=True)) for point in points])
    trials = []
    for point in itertools.product(*axes):
        varied = {key: value for part in point for key, value in part.items()}
        trial_config = replace(config, varied)
        check(trial_config)
        flat = flatten(trial_config)
        varied, deciding = {key: flat[key] for key in varied}, effective(flat)
        trials += [Trial(trial_id(deciding, seed), seed, varied, trial_config, deciding) for seed in config.seed_list]
    return trials


def effective(flat: dict[str, Any]) -> dict[str, Any]:
    """Those of a config's dotted keys that decide a trial's numbers, without those on where and how it runs.

    Of ``data.path`` only the last part counts: it names the images wherever they lie.
    """
    return {
        key: PurePath(value).name if key == "data.path" and value else value
        for key, value in flat.items()
        if not any(key == name or key.startswith(f"{name}.") for name in WITHOUT_EFFECT)
    }


def trial_id(keys: dict[str, Any], seed: int) -> str:
    """A short hash of what would change the trial's numbers: never of paths, device or logging."""
    text = json.dumps(keys | {"seed": seed}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]

"""Which trials of a grid over data sets can be run: those whose data are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nc_runner import data
from nc_runner.config.choices import IMAGE_DATA
from nc_runner.config.schema import Config, DataConfig
from nc_runner.config.trials import Trial, make_trials
from nc_runner.errors import AbsentDataError


class There(NamedTuple):
    """The trials that can be run, and of each data set that is not there a sentence."""

    trials: list[Trial]
    absent: list[str]


def there(config: Config, overridden: Sequence[str] = ()) -> There:
    """The trials of a config whose data are there; without those of the grid's data sets that are not.

    Raises:
        AbsentDataError: none is there, or one that the command line, not the grid, names.
        UserError: as :func:`make_trials <nc_runner.config.trials.make_trials>`, and as :func:`nc_runner.data.load`.
    """
    absent: dict[str, AbsentDataError] = {}

    def checksum(of: DataConfig) -> str | None:
        try:
            return data.checksum(of)
        except AbsentDataError as error:
            absent[str(error)] = error
            return None

    every = make_trials(config, overridden, checksum)
    trials = [t for t in every if t.config.data.name not in IMAGE_DATA or "data.sha256" in t.keys]
    if absent and not trials:
        raise next(iter(absent.values()))
    return There(trials, list(absent))

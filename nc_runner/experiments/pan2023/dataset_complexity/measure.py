"""The data sets by their complexity, and what is measured of the last layer."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from torch import Tensor

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import geometry
from nc_runner.experiments.pan2023.conjectures import with_gap
from nc_runner.models import MLP

NAME, DEPTH, RATIO = "data.name", "data.teacher_depth", "within_between_trace_ratio"


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Cosines and collapse at the last layer's features, and fit."""
    assert network is not None
    outputs = dict(network.features(x))
    last, weight = network.depth - 1, network.params[f"{network.depth}.weight"]
    for name, value in (*geometry.cosines(outputs[last], y), *geometry.collapse(outputs[last], y, weight)):
        yield last, name, value
    for name, value in geometry.fit(outputs[network.depth], y):
        yield None, name, value


def with_complexity(final: pd.DataFrame) -> pd.DataFrame:
    """The finished trials that fit, with ``complexity`` (0 for conic hull, else the teacher's depth), a name, and g."""
    fits = final[final["status"] == "interpolated"]
    conic = fits[NAME] == "conic_hull"
    complexity = fits[DEPTH].where(~conic, 0)
    names = "teacher of depth " + complexity.astype(str)
    return with_gap(fits.assign(complexity=complexity, name=names.where(~conic, "conic hull")))

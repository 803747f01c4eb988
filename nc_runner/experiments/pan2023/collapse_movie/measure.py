"""Pan 2023, Figure 1.2: three or four classes fall onto the vertices of a simplex as a network trains."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from nc_runner import metrics
from nc_runner.config.choices import Method
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import geometry
from nc_runner.experiments.pan2023.simplex_plane import simplex, simplex_plane
from nc_runner.models import MLP

DRAWN_PER_CLASS = 60  # [choice] enough to see a class's shape, few enough to see each point


def check(config: Config) -> None:
    """Refuse what has no simplex plane to draw on.

    Raises:
        UserError: naming the key, the value and what is allowed.
    """
    data, model, train = config.data, config.model, config.train
    if data.classes not in (3, 4):
        raise UserError(
            f"data.classes={data.classes}: collapse_movie draws a triangle or a tetrahedron; allowed are 3 and 4."
        )
    if train.method is not Method.sgd:
        raise UserError(f"train.method={train.method.name}: collapse_movie shows training; allowed is sgd.")
    if model.depth < 2:
        raise UserError(f"model.depth={model.depth}: has no hidden layer to show; allowed is at least 2.")
    if model.width < data.classes - 1:
        raise UserError(
            f"model.width={model.width}: a simplex of {data.classes} vertices does not fit in; allowed is at least "
            f"{data.classes - 1}."
        )


def drawn_samples(labels: Tensor, classes: int) -> list[Tensor]:
    """The samples drawn of each class: the first ones, at most 60, so a function of the labels alone."""
    return [(labels == c).nonzero().flatten()[:DRAWN_PER_CLASS] for c in range(classes)]


def measure(network: MLP | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Collapse and fit in eval mode, and the coordinates a frame draws.

    Coordinates are those of :mod:`~nc_runner.experiments.pan2023.simplex_plane`, an axis (x, y, and z for four
    classes) a metric: ``x_feature_2_017`` of the 18th drawn sample of class 2, ``x_mean_2``, ``x_classifier_2``.
    """
    assert network is not None
    last = network.depth - 1
    outputs = dict(network.features(x))
    features, weight = outputs[last], network.params[f"{network.depth}.weight"]
    for name, value in geometry.collapse(features, y, weight):
        yield last, name, value
    centred_cosine = metrics.self_duality_cosine(features, y, weight, centred=True)
    yield last, "min_self_duality_cosine_centred", centred_cosine.amin(-1)
    plane = simplex_plane(features, y, weight)
    yield last, "plane_variance_fraction", plane.variance_fraction
    yield last, "plane_within_between_trace_ratio", metrics.within_between_trace_ratio(plane.points, y)
    from_vertex = torch.linalg.vector_norm(plane.means - simplex(config.data.classes).to(y.device), dim=-1)
    yield last, "max_mean_to_vertex_distance", from_vertex.amax(-1)
    points, means, rows = plane.points.cpu(), plane.means.cpu(), plane.rows.cpu()
    samples = drawn_samples(y.cpu(), config.data.classes)
    for a, axis in enumerate("xyz"[: config.data.classes - 1]):
        for c in range(config.data.classes):
            yield last, f"{axis}_mean_{c}", means[:, c, a]
            yield last, f"{axis}_classifier_{c}", rows[:, c, a]
            for number, sample in enumerate(samples[c].tolist()):
                yield last, f"{axis}_feature_{c}_{number:03d}", points[:, sample, a]
    for name, value in geometry.fit(outputs[network.depth], y):
        yield None, name, value

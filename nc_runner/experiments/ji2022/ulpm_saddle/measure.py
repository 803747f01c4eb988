"""What is measured of a layer-peeled model near Example 3.1, and of the critical points that searches find."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nc_runner import metrics
from nc_runner.config.choices import Method
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.ji2022 import measures
from nc_runner.experiments.measures import geometry
from nc_runner.models import ULPM
from nc_runner.training.gradient_field import Field
from nc_runner.training.sphere import riemannian_gradient, riemannian_hessian_eigenvalues

NEGATIVE = 1e-6  # an eigenvalue this far below 0, relative to the largest in size, is negative [choice]


def measure(network: ULPM | None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The margin over the squared norms; of a search also what kind of critical point it found."""
    assert network is not None
    outputs = dict(network.features(x))
    features, logits, weight = outputs[1], outputs[2], network.output_layer()[0]
    squared_norm = network.flat.square().sum(-1)
    yield None, "margin_over_squared_norm", metrics.margins(features, y, weight).amin(-1) / squared_norm
    yield None, "kkt_residual", metrics.kkt_residual(features, y, weight)
    found = geometry.fit(logits, y)
    if config.train.method is Method.critical_point:
        moving: Iterator[tuple[str, Tensor]] = critical_point(network, y, config)
    else:
        moving = measures.on_its_way(network, logits, y, config)
    for named in (found, moving):
        for name, value in named:
            yield None, name, value


def critical_point(network: ULPM, y: Tensor, config: Config) -> Iterator[tuple[str, Tensor]]:
    """Loss, Riemannian gradient and Hessian of the summed cross-entropy on each trial's sphere [T]."""
    field = Field.of_summed_loss(y, config.data.classes, config.model.width)
    points = [flat.numpy() for flat in network.flat]
    yield "squared_norm", network.flat.square().sum(-1)
    yield "riemannian_gradient", torch.tensor([abs(riemannian_gradient(field, x)).max() for x in points])
    eigenvalues = torch.from_numpy(np.stack([riemannian_hessian_eigenvalues(field, x) for x in points]))
    largest = eigenvalues.abs().amax(-1, keepdim=True)
    yield "least_hessian_eigenvalue", eigenvalues[:, 0]
    yield "second_hessian_eigenvalue", eigenvalues[:, 1]
    yield "least_hessian_eigenvalue_relative", eigenvalues[:, 0] / largest[:, 0]
    yield "negative_hessian_eigenvalues", (eigenvalues < -NEGATIVE * largest).double().sum(-1)


def check(config: Config) -> None:
    """Example 3.1 is of four classes."""
    if config.data.classes != 4:
        raise UserError(f"data.classes={config.data.classes}: Example 3.1 has four classes; allowed is 4.")

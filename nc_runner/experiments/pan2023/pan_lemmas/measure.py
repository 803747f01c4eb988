"""The two sides of each lemma on random instances and on those that a search ends at; Theorem 3.1 of Ji et al. at, and
off, collapse."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from nc_runner import metrics, theory
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.pan2023.adversary import searched
from nc_runner.experiments.pan2023.lemma_sides import VECTORS, component
from nc_runner.experiments.pan2023.lemmas import LEMMAS
from nc_runner.rng import generator

NUMBERS = max(lemma.numbers for lemma in LEMMAS)
A_SEARCH_IN = 8  # of so many random instances, one is where a search starts [choice]
COUNTEREXAMPLE = (2.0, -1.0)  # two vectors of one dimension, w = 1
SHAPES = ((2, 1, 2), (2, 5, 4), (3, 2, 3), (4, 1, 4), (4, 10, 20), (10, 3, 10), (10, 20, 64))  # K, n, d [choice]
OFF = 1e-2  # by which a collapse is changed, relative [choice]


def measure(network: None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """The ratio of the two sides, by lemma and instance; a row of x is an instance of each lemma."""
    instances = x.double()
    for lemma in LEMMAS:
        at = instances[:, : lemma.numbers]
        ratios = {"random": lemma.ratio(at)}
        if not lemma.identity:
            starts = at[: max(1, len(at) // A_SEARCH_IN)]
            ratios["searched"] = lemma.ratio(searched(lemma.ratio, starts, config.train.epochs))
        if lemma.extreme is not None:
            ratios["extreme"] = lemma.ratio(lemma.extreme()[None])
        for kind, values in ratios.items():
            for i, value in enumerate(values):
                yield None, f"{kind}_{lemma.name}_{i:04d}", value
        yield None, f"largest_{lemma.name}", torch.cat([*ratios.values()]).max()
    for name, value in (*counterexample(instances), *collapse_and_off(config.data.input_seed)):
        yield None, name, value


def counterexample(instances: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Two vectors against the step of Lemma 2.4.5 without its premise; and one vector, which it holds of."""
    v = torch.tensor(COUNTEREXAMPLE, dtype=torch.float64)
    c, alpha = v.mean(), v.square().mean().sqrt()
    yield "counterexample_mean", v.sign().mean().abs()
    yield "counterexample_step", (c / alpha).square()
    yield "counterexample_repaired", theory.mean_direction_norm_bound(c, alpha, 1.0)
    alone = instances.clone()
    alone[:, VECTORS + 1 : 2 * VECTORS] = -1e3  # the weights of all vectors but the first
    less, more = component(alone[:, : VECTORS * 5], positive=False)
    yield "largest_of_one_vector", (less / more).max()


def collapse_and_off(seed: int) -> Iterator[tuple[str, Tensor]]:
    """Margin over its bound: 1 less the ratio at collapse, and off it in four ways, for each shape."""
    for i, (classes, per_class, width) in enumerate(SHAPES):
        random = generator(seed, "collapse", i)
        weight, features = collapse(classes, per_class, width, random)
        labels = torch.arange(classes).repeat_interleave(per_class)

        def gap(weight: Tensor, features: Tensor, labels: Tensor = labels) -> Tensor:
            return 1 - metrics.margin_ratio(features, labels, weight)

        yield f"collapse_{i}", gap(weight, features)
        yield f"off_norms_{i}", gap((1 + OFF) * weight, features)
        longer = 1 + OFF * labels.eq(0).double()[:, None]
        yield f"off_class_{i}", gap((1 + OFF * torch.eye(classes, 1, dtype=torch.float64)) * weight, longer * features)
        noise = torch.randn(features.shape, dtype=torch.float64, generator=random)
        noise = noise * torch.linalg.vector_norm(features) / torch.linalg.vector_norm(noise)
        yield f"off_features_{i}", gap(weight, features + OFF * noise)
        turn = torch.linalg.matrix_exp(OFF * skew(width, random))
        yield f"off_duality_{i}", gap(weight, features @ turn)


def collapse(classes: int, per_class: int, width: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """A classifier [K, d] and features [K n, d], class by class, at neural collapse with ||W|| = ||H||."""
    basis = torch.linalg.qr(torch.randn(width, width, dtype=torch.float64, generator=random)).Q[:classes]
    frame = (basis - basis.mean(0)) * math.exp(torch.randn(1, generator=random).item())
    return math.sqrt(per_class) * frame, frame.repeat_interleave(per_class, 0)


def skew(width: int, random: torch.Generator) -> Tensor:
    """A skew-symmetric matrix [d, d] of norm sqrt(d), which turns everything by angles of about 1."""
    square = torch.randn(width, width, dtype=torch.float64, generator=random)
    matrix = square - square.mT
    turned: Tensor = matrix * math.sqrt(width) / torch.linalg.matrix_norm(matrix)
    return turned


def check(config: Config) -> None:
    """An instance has numbers enough for each lemma."""
    if config.data.dim < NUMBERS:
        raise UserError(
            f"data.dim={config.data.dim}: an instance takes {NUMBERS} numbers; allowed is {NUMBERS} or more."
        )

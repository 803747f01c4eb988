"""What is measured beside an experiment's own measures: held-out data, and how noisy labels are fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from nc_runner import data, metrics
from nc_runner.config.schema import Config, DataConfig
from nc_runner.experiments.base import Experiment, Measurement
from nc_runner.experiments.measures import geometry

Measure = Callable[[Any, Tensor, Tensor, Config], Iterable[Measurement]]

ROUNDING = 1e-6  # relative, of float32 features, below which class means coincide

OF_TEST = (
    "test_loss",
    "test_accuracy",
    "test_within_between_trace_ratio",
    "test_within_between_trace_ratio_training_means",
    "test_ncc_accuracy",
    "test_ncc_accuracy_training_means",
)
OF_NOISE = ("clean_accuracy", "noisy_accuracy")


def with_held_out(experiment: Experiment, configs: Iterable[Config]) -> Experiment:
    """The experiment, measuring what these configs of its trials ask for besides, and showing it in trials.csv."""
    sets = [config.data for config in configs]
    asked = (*(OF_TEST if any(d.test for d in sets) else ()), *(OF_NOISE if any(d.label_noise for d in sets) else ()))
    if not asked:
        return experiment
    return replace(experiment, measure=WithHeldOut(experiment.measure), headline=(*experiment.headline, *asked))


@dataclass(frozen=True)
class WithHeldOut:
    """An experiment's measure, and what its data ask for beside it; a class, so that workers can be sent it."""

    measure: Measure

    def __call__(self, network: Any, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
        """The experiment's measurements, then the others."""
        yield from self.measure(network, x, y, config)
        if config.data.label_noise:
            yield from fit_of_noise(network, x, y, config)
        if config.data.test:
            yield from held_out(network, x, y, config)


def fit_of_noise(network: Any, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Accuracy [T] on the samples with right labels, and on those with wrong ones, as the labels have it."""
    wrong = _noisy(config.data).to(y.device)[:: _stride(x, config)]
    right = last_two(network, x)[1].argmax(-1) == y
    for name, samples in zip(OF_NOISE, (~wrong, wrong), strict=True):
        yield None, name, right[:, samples].double().mean(-1)


def held_out(network: Any, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """Loss, accuracy and collapse of held-out data, as ``test_*``, by their own class means and by the training set's.

    NC1 by training means is the mean squared distance of a feature from its class's training mean, over the training
    means' own variation between the classes, tr S_B.
    """
    test_x, test_y = (of[:: _stride(x, config)] for of in _test(config.data))
    test_x = (test_x if x.dim() > 2 else test_x.flatten(1)).to(x)
    test_y = test_y.to(y)
    features, logits = last_two(network, test_x)
    for name, value in geometry.fit(logits, test_y):
        yield None, f"test_{name}", value
    layer = network.depth - 1
    for name, value in geometry.collapse(features, test_y, network.output_layer()[0]):
        yield layer, f"test_{name}", value
    means = metrics.class_means(last_two(network, x)[0], y)
    for name, value in by_means(features.double(), test_y, means):
        yield layer, f"test_{name}_training_means", value


def by_means(features: Tensor, labels: Tensor, means: Tensor) -> Iterator[tuple[str, Tensor]]:
    """NC1 and NCC accuracy [T] of features float64 [T, N, D] by class means [T, K, D] that are of other samples.

    A sample as near to another class's mean as to its own counts as an error; NaN where the means all coincide, or a
    number is not finite.
    """
    means, centre = means - means.mean(-2, keepdim=True), means.mean(-2, keepdim=True)
    features = features - centre
    between = means.square().sum(-1).mean(-1)
    defined = (between > ROUNDING**2 * features.square().sum(-1).amax(-1)) & features.isfinite().all(-1).all(-1)
    within = (features - means[:, labels]).square().sum(-1).mean(-1)
    yield "within_between_trace_ratio", (within / between).where(defined, torch.nan)
    affinity = features @ means.mT - means.square().sum(-1).unsqueeze(-2) / 2
    own_class = labels.expand(len(affinity), -1).unsqueeze(-1)
    own = affinity.gather(-1, own_class).squeeze(-1)
    rival = affinity.scatter(-1, own_class, -torch.inf).amax(-1)
    yield "ncc_accuracy", (own > rival).double().mean(-1).where(defined, torch.nan)


def last_two(network: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The last layer's features [T, N, D], the inputs where there is one layer alone, and the logits [T, N, K]."""
    outputs = dict(network.features(x))
    features = outputs.get(network.depth - 1)
    return x.flatten(1).expand(network.trials, -1, -1) if features is None else features, outputs[network.depth]


def _stride(x: Tensor, config: Config) -> int:
    """A measurement may be of every stride-th sample, to tell how long it takes."""
    return -(-config.data.samples // len(x))


@lru_cache(maxsize=2)
def _cached_test(*fields: object) -> tuple[Tensor, Tensor]:
    return data.load_test(DataConfig(*fields))  # type: ignore[arg-type]


def _test(config: DataConfig) -> tuple[Tensor, Tensor]:
    return _cached_test(*vars(config).values())


@lru_cache(maxsize=2)
def _cached_noisy(*fields: object) -> Tensor:
    return data.noisy(DataConfig(*fields))  # type: ignore[arg-type]


def _noisy(config: DataConfig) -> Tensor:
    return _cached_noisy(*vars(config).values())

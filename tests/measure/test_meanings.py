"""Every measure of a layer has its meaning, and the value at collapse that is told is measured there."""

from __future__ import annotations

import pytest
import torch

from nc_runner.measure import Accumulator, Measured
from nc_runner.measure.meanings import MEANINGS

CLASSES, WIDTH, EACH = 5, 7, 30


def measured(noise: float) -> dict[str, float]:
    """Of features about a simplex ETF of class means, with these as the classifier."""
    draw = torch.Generator().manual_seed(1)
    frame = torch.linalg.qr(torch.randn(WIDTH, CLASSES, generator=draw, dtype=torch.float64))[0]
    means = (frame @ (torch.eye(CLASSES, dtype=torch.float64) - 1 / CLASSES)).T
    labels = torch.arange(CLASSES).repeat_interleave(EACH)
    features = means[labels] + noise * torch.randn(len(labels), WIDTH, generator=draw, dtype=torch.float64)
    layer = Measured(Accumulator(directions=True, covariance=True), means, torch.zeros(CLASSES))
    layer.seen.update(features, labels)
    second = layer.by_means()
    second.update(features, labels)
    layer.second = second
    return {name: float(value) for name, value in layer.compute().items()}


def test_values_at_collapse_are_those_measured_there_and_nowhere_else() -> None:
    collapsed, spread = measured(1e-9), measured(0.5)
    assert set(collapsed) == set(MEANINGS)
    for name, meaning in MEANINGS.items():
        value = meaning.collapsed(CLASSES)
        if value is not None:
            assert collapsed[name] == pytest.approx(value, abs=1e-7), name
            weights_alone = name.endswith("_weights")
            assert weights_alone or spread[name] != pytest.approx(value, abs=1e-4), name

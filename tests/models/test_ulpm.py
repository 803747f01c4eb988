import math

import pytest
import torch
from torch import nn

from nc_runner.config.choices import ModelName, Start
from nc_runner.config.schema import ModelConfig
from nc_runner.metrics import margin_ratio
from nc_runner.models import ULPM

CPU = torch.device("cpu")
Y = torch.arange(12) % 4


def model(seeds: list[int], width: int = 5, **config: object) -> ULPM:
    return ULPM(ModelConfig(name=ModelName.ulpm, width=width, **config), 12, 4, seeds, device=CPU)  # type: ignore[arg-type]


def test_loss_and_gradients_are_autograd_s() -> None:
    of = model([0, 1, 2])
    targets = nn.functional.one_hot(Y, 4).double()[:, None].expand(-1, 3, -1)
    loss = of.loss_and_gradient(torch.empty(0), targets)
    for t in range(3):
        features, weight = (of.params[name][t].clone().requires_grad_() for name in ("1.features", "2.weight"))
        expected = nn.functional.cross_entropy(features @ weight.T, Y)
        expected.backward()
        torch.testing.assert_close(loss.value[t], expected.detach(), rtol=1e-12, atol=0)
        torch.testing.assert_close(of.grads["1.features"][t], features.grad, rtol=1e-10, atol=1e-14)
        torch.testing.assert_close(of.grads["2.weight"][t], weight.grad, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(of.fit(Y)[0], loss.value)
    assert torch.equal(of.fit(Y)[1], loss.correct.double() / 12)


def test_a_normal_start_has_its_scale_and_its_rank_and_is_drawn_by_seed() -> None:
    wide = model([0, 1], width=400, start_scale=0.3)
    assert wide.flat.std().item() == pytest.approx(0.3, rel=0.02)
    assert not torch.equal(wide.flat[0], wide.flat[1])
    assert torch.equal(model([1], width=400, start_scale=0.3).flat[0], wide.flat[1])
    assert torch.linalg.matrix_rank(model([0], start_rank=2).flat[0].view(16, 5)) == 2


def test_a_simplex_start_is_neural_collapse_with_the_gap_asked_for() -> None:
    of = model([0], start=Start.simplex, start_scale=0.7)
    features, weight = of.params["1.features"], of.params["2.weight"]
    logits = dict(of.features(torch.empty(0)))[2][0]
    for row, label in zip(logits, Y.tolist(), strict=True):
        off = row[torch.arange(4) != label]
        torch.testing.assert_close(row[label] - off, torch.full((3,), 0.49, dtype=torch.float64))
    assert margin_ratio(features, Y, weight).item() == pytest.approx(1)
    assert torch.linalg.matrix_norm(weight).item() == pytest.approx(torch.linalg.matrix_norm(features).item())


def test_a_saddle_start_is_example_3_1() -> None:
    of = ULPM(ModelConfig(name=ModelName.ulpm, width=6, start=Start.saddle, start_scale=1.5), 4, 4, [0], device=CPU)
    logits = dict(of.features(torch.empty(0)))[2][0]
    margin = (logits.diagonal() - logits.masked_fill(torch.eye(4, dtype=torch.bool), -math.inf).amax(1)).min()
    assert margin.item() == pytest.approx(2 * 1.5**2)
    assert (margin / of.flat.square().sum()).item() == pytest.approx(1 / 8)
    noisy = model([0], start=Start.simplex, start_noise=0.1)
    assert (noisy.flat - model([0], start=Start.simplex).flat).std().item() == pytest.approx(0.1, rel=0.2)

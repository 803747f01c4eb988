"""What is measured of a flow and a descent, against formulas."""

import dataclasses
import math

import pytest
import torch
from peeled import peeled

from nc_runner.config.choices import Method, Reduction, Start
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.experiments.ji2022 import measures
from nc_runner.experiments.ji2022.ulpm_flow.measure import measure
from nc_runner.training.descent import GradientDescent
from nc_runner.training.flow import GradientFlow


def flow(**config: object) -> GradientFlow:
    of = peeled(4, 3, 6, epochs=40, **config)  # type: ignore[arg-type]
    return GradientFlow(make_trials(of), *load(of.data))


@pytest.mark.parametrize("reduction", list(Reduction))
def test_the_loss_tends_to_its_asymptote_and_the_conserved_matrix_stays(reduction: Reduction) -> None:
    training = flow(reduction=reduction)
    while not training.finished:
        training.advance()
    of = {name: value for _, name, value in measure(training.network, training.x, training.y, training.config)}
    assert of["loss_over_asymptote"].item() == pytest.approx(1, abs=1e-3)
    assert of["margin_ratio"].item() > 0.999
    assert of["conserved_drift"].item() < 1e-4
    assert of["norm_variation_weights"].item() == pytest.approx(of["norm_variation_weights_predicted"].item(), rel=1e-2)


def test_the_log_of_the_loss_is_right_where_the_loss_is_and_where_it_underflows() -> None:
    y = torch.arange(6) % 3
    logits = torch.randn(2, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    direct = torch.stack([torch.nn.functional.cross_entropy(z, y, reduction="sum") for z in logits])
    torch.testing.assert_close(measures.log_summed_loss(logits, y), direct.log(), rtol=1e-12, atol=0)
    far = 1e6 * torch.eye(3, dtype=torch.float64)[y][None]
    expected = -1e6 + math.log(12)  # six samples, two rivals each
    assert measures.log_summed_loss(far, y).item() == pytest.approx(expected, rel=1e-15)


def test_drift_is_relative_to_the_start() -> None:
    training = flow(start={"start": Start.normal})
    network = training.network
    network.params["2.weight"].mul_(2)
    of = dict(measures.on_its_way(network, dict(network.features(training.x))[2], training.y, training.config))
    weight, features = network.start["2.weight"][0], network.start["1.features"][0]
    expected = (3 * weight.T @ weight).norm() / (weight.square().sum() + features.square().sum())
    assert of["conserved_drift"].item() == pytest.approx(expected.item())


def test_a_descent_has_the_time_of_its_steps() -> None:
    config = dataclasses.replace(peeled(method=Method.gd, epochs=10))
    config.train.warmup = 4
    training = GradientDescent(make_trials(config), *load(config.data))
    while not training.finished:
        training.advance()
    steps = [0.01 * min(1.0, (k + 1) / 4) for k in range(10)]
    assert training.network.log1p_time.item() == pytest.approx(math.log1p(sum(steps)))

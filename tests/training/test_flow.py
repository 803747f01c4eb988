"""Gradient flow against exact solutions, against other integrators, and against itself interrupted."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from peeled import peeled
from scipy.integrate import solve_ivp
from torch import Tensor

from nc_runner import theory
from nc_runner.config.choices import Clock, Method, Reduction, Solver, Start
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.training.flow import GradientFlow, integrate_to, make_field
from nc_runner.training.gradient_field import clock_at


def flow(config: Config) -> GradientFlow:
    return GradientFlow(make_trials(config), *load(config.data))


def finish(training: GradientFlow) -> GradientFlow:
    while not training.finished:
        training.advance()
    return training


@pytest.mark.parametrize("solver", [Solver.LSODA, Solver.BDF, Solver.Radau])
@pytest.mark.parametrize("reduction", list(Reduction))
def test_the_symmetric_gap_is_the_exact_one_from_t_of_a_hundredth_to_log_t_of_a_million(
    solver: Solver, reduction: Reduction
) -> None:
    config = peeled(4, 3, 6, epochs=1, start={"start": Start.simplex}, solver=solver, reduction=reduction)
    training, gaps = flow(config), []
    log1p_times = np.expm1(np.geomspace(math.log1p(math.log1p(1e-2)), math.log1p(1e6), 60))
    log1p_times[-1] = 1e6
    for log1p_time in log1p_times:
        u = clock_at(config.flow.clock, log1p_time)
        x = training.field.scale(u) * integrate_to(training.solvers[0], u, config.flow.clock)
        features, weight = training.field.split(x)
        gaps.append(features[0] @ weight[0] - features[0] @ weight[1])
    log_t = torch.tensor(log1p_times + np.log(-np.expm1(-log1p_times)))
    scale = 1.0 if reduction is Reduction.sum else 1 / 12
    exact = theory.ulpm_symmetric_gap(log_t, 4, 3, 1.0, scale, log_time=True)
    np.testing.assert_allclose(gaps, exact.numpy(), rtol=1e-7)


def end(config: Config) -> Tensor:
    return finish(flow(config)).network.flat[0].clone()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_solvers_agree_on_random_starts(seed: int) -> None:
    ends = []
    for solver in (Solver.LSODA, Solver.BDF, Solver.Radau):
        config = peeled(4, 3, 6, epochs=1, solver=solver)
        config.seeds = [seed]
        ends.append(end(config))
    for other in ends[1:]:
        torch.testing.assert_close(other, ends[0], rtol=1e-6, atol=1e-6 * float(ends[0].abs().max()))


def test_the_clocks_agree_with_each_other_and_with_an_explicit_method() -> None:
    ends = [end(peeled(epochs=1, log_time=4.0, clock=clock)) for clock in Clock]
    start = flow(peeled(epochs=1)).network.flat[0].numpy()
    field = make_field(peeled(), torch.arange(6) % 3)
    explicit = solve_ivp(
        lambda _, x: field.velocity(x), (0, math.expm1(4.0)), start, method="DOP853", rtol=1e-12, atol=1e-12
    )
    for x in ends:
        torch.testing.assert_close(x, torch.from_numpy(explicit.y[:, -1]), rtol=1e-7, atol=1e-8)


def conserved(network: Any) -> Tensor:
    features, weight = network.params["1.features"][0], network.params["2.weight"][0]
    return weight.T @ weight - features.T @ features


def test_what_the_flow_conserves_stays() -> None:
    training = flow(peeled(4, 3, 6))
    before = conserved(training.network)
    finish(training)
    assert torch.linalg.matrix_norm(conserved(training.network) - before) < 1e-5 * torch.linalg.matrix_norm(before)


def test_example_3_1_stays_on_its_ray_to_log_t_of_a_million_and_noise_leaves_it() -> None:
    def ratio(noise: float) -> float:
        start = {"start": Start.saddle, "start_noise": noise}
        network = finish(flow(peeled(4, 1, 4, epochs=1, start=start))).network
        logits = dict(network.features(torch.empty(0)))[2][0]
        off = logits.masked_fill(torch.eye(4, dtype=torch.bool), -math.inf).amax(1)
        return float((logits.diagonal() - off).min() / network.flat.square().sum())

    assert ratio(0.0) == pytest.approx(1 / 8, rel=1e-9)
    assert ratio(0.1) == pytest.approx(1 / 6, rel=1e-6)


@pytest.mark.parametrize("solver", [Solver.LSODA, Solver.BDF])
def test_taken_up_again_it_gives_the_same_bits(solver: Solver) -> None:
    config = peeled(epochs=7, solver=solver)
    config.seeds = 2
    whole, part = flow(config), flow(config)
    for _ in range(4):
        whole.advance()
    part.load({}, 4)
    for training in (whole, part):
        finish(training)
    assert torch.equal(whole.network.flat, part.network.flat)


def test_a_stack_is_its_trials_one_by_one() -> None:
    config = peeled(epochs=5)
    config.seeds = 3
    together = finish(flow(config)).network.flat
    for seed in range(3):
        config.seeds = [seed]
        assert torch.equal(finish(flow(config)).network.flat[0], together[seed])


def test_descent_with_a_small_step_follows_the_flow() -> None:
    from nc_runner.training.descent import GradientDescent

    config = peeled(method=Method.gd, epochs=5000)
    config.train.learning_rate, config.probes = 1e-3, 4
    descent = GradientDescent(make_trials(config), *load(config.data))
    while not descent.finished:
        descent.advance()
    end_time = math.log1p(5.0)
    assert float(descent.network.log1p_time[0]) == pytest.approx(end_time)
    followed = end(peeled(epochs=1, log_time=end_time))
    torch.testing.assert_close(descent.network.flat[0], followed, rtol=2e-3, atol=2e-3)
    assert not torch.allclose(descent.network.flat[0], followed, rtol=1e-6, atol=1e-6)

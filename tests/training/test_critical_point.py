import math

import numpy as np
import pytest
import torch
from peeled import peeled
from torch import Tensor

from nc_runner.config.choices import Method, Start
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.models.ulpm import SADDLE
from nc_runner.training.critical_point import CriticalPointSearch
from nc_runner.training.gradient_field import Field
from nc_runner.training.sphere import (
    hessian,
    nearest_critical_point,
    riemannian_gradient,
    riemannian_hessian_eigenvalues,
)

LABELS = torch.arange(4)
FIELD = Field.of_summed_loss(LABELS, 4, 4)


def loss(x: Tensor) -> Tensor:
    features, weight = x.view(8, 4).split([4, 4])
    return torch.nn.functional.cross_entropy(features @ weight.T, LABELS, reduction="sum")


def on_ray(r: float) -> np.ndarray:
    return (r * torch.cat([SADDLE, SADDLE])).flatten().numpy()


def test_the_hessian_is_autograd_s() -> None:
    x = torch.randn(32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = torch.autograd.functional.hessian(loss, x)
    np.testing.assert_allclose(hessian(FIELD, x.numpy()), expected.numpy(), rtol=1e-10, atol=1e-12)


def test_the_riemannian_hessian_is_the_second_derivative_along_great_circles() -> None:
    x = nearest_critical_point(FIELD, on_ray(1.5) + 0.01)
    eigenvalues = riemannian_hessian_eigenvalues(FIELD, x)
    radius, random = np.linalg.norm(x), np.random.RandomState(0)

    def on_circle(v: np.ndarray, angle: float) -> float:
        return float(loss(torch.from_numpy(math.cos(angle) * x + math.sin(angle) * radius * v)))

    rayleigh = []
    for _ in range(20):
        v = random.randn(32)
        v -= (v @ x) / (x @ x) * x
        v /= np.linalg.norm(v)
        step = 1e-3 / radius
        rayleigh.append((on_circle(v, step) - 2 * on_circle(v, 0) + on_circle(v, -step)) / 1e-6)
    assert eigenvalues[0] - 1e-6 <= min(rayleigh)
    assert max(rayleigh) <= eigenvalues[-1] + 1e-6
    assert len(eigenvalues) == 31


def test_example_3_1_is_a_strict_saddle_with_the_eigenvalues_of_the_spec() -> None:
    x = on_ray(1.5)
    assert abs(riemannian_gradient(FIELD, x)).max() < 1e-15
    eigenvalues = riemannian_hessian_eigenvalues(FIELD, x)
    np.testing.assert_allclose(eigenvalues[:2], -0.02149, atol=5e-6)
    assert eigenvalues[2] > -1e-12


def test_neural_collapse_is_a_minimum_on_its_sphere() -> None:
    config = peeled(4, 1, 4, method=Method.critical_point, epochs=1, start={"start": Start.simplex}, log_time=1e-9)
    search = CriticalPointSearch(make_trials(config), *load(config.data))
    start = search.network.flat.clone()
    search.advance()
    torch.testing.assert_close(search.network.flat, start, rtol=1e-7, atol=1e-7)
    assert riemannian_hessian_eigenvalues(search.field, search.network.flat[0].numpy())[0] > -1e-12


@pytest.mark.parametrize("rank", [2, 3])
def test_a_search_ends_at_a_critical_point_on_its_sphere_and_in_its_subspace(rank: int) -> None:
    start = {"start_scale": 1.0, "start_rank": rank}
    config = peeled(4, 1, 4, method=Method.critical_point, epochs=1, start=start, log_time=2.0)
    config.seeds = 4
    search = CriticalPointSearch(make_trials(config), *load(config.data))
    search.advance()
    assert search.finished
    for flat in search.network.flat:
        assert abs(riemannian_gradient(search.field, flat.numpy())).max() < 1e-9
        assert torch.linalg.matrix_rank(flat.view(8, 4), rtol=1e-6) <= rank

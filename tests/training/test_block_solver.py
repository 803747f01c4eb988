import numpy as np
import pytest
import torch
from scipy.integrate import BDF, Radau

from nc_runner.config.choices import Clock
from nc_runner.training.block_solver import Identity, Jacobian, Shifted, blockwise, factorise, solve
from nc_runner.training.gradient_field import Field, dense_jacobian

LABELS = torch.arange(12) % 4
FIELD = Field(LABELS.numpy(), 4, 5, 1.0, Clock.log_log_t)


@pytest.mark.parametrize("u", [0.0, 1.0, 2.0])
@pytest.mark.parametrize(("a", "b"), [(1.0, 0.01), (1.0, 10.0), (2.6 + 3.1j, 1.0)])
def test_it_solves_the_dense_system(u: float, a: complex, b: float) -> None:
    random = np.random.RandomState(1)
    at = FIELD.linearise(u, random.randn(FIELD.size))
    right = random.randn(FIELD.size) + (1j * random.randn(FIELD.size) if isinstance(a, complex) else 0)
    matrix = a * np.eye(FIELD.size) - b * dense_jacobian(at)
    v = solve(factorise(Shifted(a, b, at)), right)
    assert np.linalg.norm(matrix @ v - right) < 1e-12 * np.linalg.norm(matrix, 2) * np.linalg.norm(v)


def test_the_expressions_of_scipy_make_a_shifted_matrix() -> None:
    at = FIELD.linearise(0.0, np.zeros(FIELD.size))
    assert Identity() - 0.3 * Jacobian(at) == Shifted(1.0, 0.3, at)
    assert np.complex128(2 + 1j) / 4 * Identity() - Jacobian(at) == Shifted(0.5 + 0.25j, 1.0, at)
    assert np.float64(2.0) * Identity() - Jacobian(at) == Shifted(2.0, 1.0, at)


@pytest.mark.parametrize("method", [BDF, Radau])
def test_it_takes_the_steps_of_the_dense_solver(method: type[BDF] | type[Radau]) -> None:
    start = np.random.RandomState(2).randn(FIELD.size)
    blocks = blockwise(method, FIELD, start, 4.0, rtol=1e-8, atol=1e-8)
    dense = method(FIELD, 0.0, start, 4.0, jac=lambda u, y: dense_jacobian(FIELD.linearise(u, y)), rtol=1e-8, atol=1e-8)
    if method is BDF:
        dense.D[2:] = 0  # uninitialised by scipy
    for _ in range(20):
        blocks.step()
        dense.step()
        assert blocks.t == pytest.approx(dense.t, rel=1e-5)
    np.testing.assert_allclose(blocks.y, dense.y, rtol=1e-6, atol=1e-8)

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from nc_runner.theory import resnet_first_layer_singular_values

CASES = [
    (0.01, 4, 2, 1.0),
    (0.001, 10, 4, 0.1),
    (0.02, 3, 4, 10.0),
    (0.05, 4, 1, 2.0),
    (0.3, 4, 4, 1.0),
    (0.2, 5, 3, 2.0),
]


@pytest.mark.parametrize(("decay", "classes", "blocks", "delta"), CASES)
def test_no_search_over_the_three_numbers_finds_less(decay: float, classes: int, blocks: int, delta: float) -> None:
    def objective(x: np.ndarray) -> float:
        q, s, w = x
        loss = (q * s * (1 + w) ** blocks - 1) ** 2 / 2
        return float(loss + decay * classes / 2 * (s**2 + blocks * w**2 + delta * q**2))

    of = resnet_first_layer_singular_values(decay, classes, blocks, delta)
    at = np.array([of.first.item(), of.head.item(), of.block.item()])
    assert of.objective.item() == pytest.approx(objective(at), rel=1e-12)
    starts = np.random.RandomState(0).uniform(0, 2, (30, 3))
    found = min((minimize(objective, start, tol=1e-14) for start in starts), key=lambda result: result.fun)
    assert of.objective.item() == pytest.approx(found.fun, rel=1e-9)
    if at[2] > 0:
        np.testing.assert_allclose(at, abs(found.x), rtol=1e-4)


def test_full_matrices_have_it_for_their_singular_values() -> None:
    decay, classes, blocks, delta, width = 0.02, 3, 2, 0.5, 4
    shapes = [(width, classes), *[(width, width)] * blocks, (classes, width)]
    sizes = np.cumsum([a * b for a, b in shapes])

    def objective(flat: torch.Tensor) -> torch.Tensor:
        parts = [part.view(shape) for part, shape in zip(flat.tensor_split(sizes[:-1].tolist()), shapes, strict=True)]
        z = parts[0]
        for block in parts[1:-1]:
            z = z + block @ z
        fit = (parts[-1] @ z - torch.eye(classes, dtype=flat.dtype)).square().sum() / (2 * classes)
        weights = [delta, *[1.0] * (blocks + 1)]
        return fit + decay / 2 * sum(w * part.square().sum() for w, part in zip(weights, parts, strict=True))

    def value_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        flat = torch.tensor(x, requires_grad=True)
        value = objective(flat)
        value.backward()
        assert flat.grad is not None
        return float(value.detach()), flat.grad.numpy()

    random = np.random.RandomState(0)
    options = {"maxiter": 5000, "ftol": 1e-15, "gtol": 1e-10}
    found = min(
        (minimize(value_and_gradient, 0.5 * random.randn(sizes[-1]), jac=True, method="L-BFGS-B", options=options)
         for _ in range(5)),
        key=lambda result: result.fun,
    )  # fmt: skip
    of = resnet_first_layer_singular_values(decay, classes, blocks, delta)
    assert found.fun == pytest.approx(of.objective.item(), rel=1e-8)
    first, block, head = (np.linalg.svd(found.x[a:b].reshape(shape))[1] for a, b, shape in (
        (0, sizes[0], shapes[0]), (sizes[0], sizes[1], shapes[1]), (sizes[-2], sizes[-1], shapes[-1]),
    ))  # fmt: skip
    np.testing.assert_allclose(first, of.first.item(), rtol=1e-4)
    np.testing.assert_allclose(block[:3], of.block.item(), rtol=1e-4)
    np.testing.assert_allclose(head, of.head.item(), rtol=1e-4)


def test_the_limit_fits_exactly_and_is_approached() -> None:
    limit = resnet_first_layer_singular_values(0, 4, 4, 0.3)
    w, s, q = limit.block.item(), limit.head.item(), limit.first.item()
    assert q * s * (1 + w) ** 4 == pytest.approx(1, rel=1e-12)
    assert s == pytest.approx(math.sqrt(w * (1 + w)), rel=1e-12)
    assert limit.objective.item() == 0
    near = resnet_first_layer_singular_values(1e-9, 4, 4, 0.3)
    assert near.block.item() == pytest.approx(w, rel=1e-6)


def test_it_broadcasts_and_refuses() -> None:
    of = resnet_first_layer_singular_values(
        torch.tensor([[0.0], [0.01], [9.0]], dtype=torch.float64), 4, torch.tensor([1, 4]), 1.0
    )
    assert of.block.shape == (3, 2)
    assert (of.block[2] == 0).all()
    assert (of.objective[2] == 0.5).all()
    one = resnet_first_layer_singular_values(0.01, 4, 4, 1.0)
    assert one.block.item() == of.block[1, 1].item()
    assert resnet_first_layer_singular_values(math.nan, 4, 4, 1.0).block.isnan()
    with pytest.raises(ValueError, match=r"delta is 0; it must be greater than 0"):
        resnet_first_layer_singular_values(0.01, 4, 4, 0)

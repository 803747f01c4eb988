"""The tangent kernel of a network with a linear head against its bound, and what it bounds."""

import numpy as np
import pytest
import torch
from theory.linear_heads import K, N, Y, disturbed, forward, largest

from nc_runner.theory import linear_head_condition_bound, linear_head_ntk_bound


def kernel_norm(weights, inputs):
    """Operator norm of the Gram matrix of the gradients of all outputs."""
    weights = [w.clone().requires_grad_() for w in weights]
    outputs = forward([*weights], inputs)[-1].flatten()
    rows = [torch.cat([g.flatten() for g in torch.autograd.grad(o, weights, retain_graph=True)]) for o in outputs]
    return largest(torch.stack(rows)) ** 2


@pytest.mark.parametrize(("seed", "noise"), [(0, 0.0), (1, 1e-2), (2, 0.1), (3, 0.3)])
def test_the_tangent_kernel_is_at_least_the_bound(seed, noise):
    weights, z = disturbed(seed, noise)
    bound = float(
        linear_head_ntk_bound(float((z[-1] - Y).norm()), max(largest(w) for w in weights[2:]), len(weights) - 2, N, K)
    )
    assert bound <= kernel_norm(weights, z[0])
    assert noise > 0.01 or bound > 0.1


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_the_tangent_kernel_of_a_multiple_of_the_identity_attains_the_bound(layers):
    r = 1.3
    head = [r * torch.eye(K, dtype=torch.float64)] * layers
    z, total = r**-layers * Y, torch.zeros(K * N, K * N, dtype=torch.float64)
    for i in range(layers):
        after = torch.linalg.multi_dot([*head[i + 1 :], *[torch.eye(K, dtype=torch.float64)] * 2])
        total += torch.kron(z.T @ z, after @ after.T)
        z = head[i] @ z
    assert float(linear_head_ntk_bound(0, r, layers, N, K)) == pytest.approx(largest(total), rel=1e-12)
    nothing = linear_head_ntk_bound(torch.tensor([2.0, 7.0, torch.nan]), r, layers, N, K)
    np.testing.assert_array_equal(nothing, [0, 0, np.nan])
    with pytest.raises(ValueError, match=r"linear_layers is 0; it must be at least 1\."):
        linear_head_ntk_bound(0, r, 0, N, K)


@pytest.mark.parametrize(("seed", "noise"), [(0, 0.0), (1, 1e-2), (2, 0.1), (3, 0.3)])
def test_the_tangent_kernel_bounds_the_condition_number_of_the_head(seed, noise):
    weights, z = disturbed(seed, noise)
    values = torch.linalg.svdvals(torch.linalg.multi_dot(weights[:1:-1]))
    error = float((z[-1] - Y).norm())
    bound = float(linear_head_condition_bound(error, kernel_norm(weights, z[0]), largest(weights[2]), N, K))
    assert values[0] / values[K - 1] <= bound
    assert noise > 0.01 or np.isfinite(bound)


def test_one_linear_layer_that_interpolates_attains_the_bound():
    values = torch.arange(1.0, K + 1, dtype=torch.float64)
    z = Y / values[:, None]  # under a head diag(values)
    assert float(linear_head_condition_bound(0, largest(z) ** 2, K, N, K)) == pytest.approx(K, rel=1e-12)
    scale = (N / K) ** 0.5
    errors = torch.tensor([0.0, scale / 2, scale, 2 * scale, torch.nan])
    found = linear_head_condition_bound(errors, 4.0, 3.0, N, K)
    np.testing.assert_allclose(found, [6 / scale, 12 / scale, np.inf, np.inf, np.nan])
    assert linear_head_condition_bound(2 * scale, torch.nan, 3.0, N, K).isnan()
    with pytest.raises(ValueError, match=r"kernel_norm is -1; it must be at least 0\."):
        linear_head_condition_bound(0, -1, 1, N, K)

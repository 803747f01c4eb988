"""How curved the loss of an MLP is: the largest eigenvalues of its Hessian and of the neural tangent kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nc_runner.experiments.base import Measurement
from nc_runner.models import MLP
from nc_runner.models.activations import ACTIVATIONS
from nc_runner.rng import generator

TOLERANCE = 1e-4  # relative, of an eigenvalue [choice]


class Curvature(NamedTuple):
    """Of one network on its training set.

    Attributes:
        sharpness: the largest eigenvalue of the Hessian of (1/2N) ||Z_L - Y||_F^2, without the penalty.
        kernel: ||Theta||_op, Theta [KN, KN] the Gram matrix of the gradients of all outputs.
    """

    sharpness: float
    kernel: float


def measured(network: MLP, x: Tensor, y: Tensor, classes: int) -> Iterator[Measurement]:
    """``sharpness`` and ``kernel_norm`` of the whole network [T]; NaN for one that diverged."""
    found = [
        curvature(network, trial, x, one_hot(y, classes))
        if bool(network.flat[trial].isfinite().all())
        else Curvature(np.nan, np.nan)
        for trial in range(network.trials)
    ]
    for name, values in zip(("sharpness", "kernel_norm"), zip(*found, strict=True), strict=True):
        yield None, name, torch.tensor(values, dtype=torch.float64, device=x.device)


def curvature(network: MLP, trial: int, x: Tensor, targets: Tensor) -> Curvature:
    """Of one trial, in float64, by Lanczos' method on products with the matrices.

    Args:
        network: without biases, norms or dropout.
        x: inputs [N, D]; targets: one-hot [N, K].
    """
    weights = [network.params[f"{i}.weight"][trial].double() for i in range(1, network.depth + 1)]
    with torch.enable_grad():
        theta = torch.cat([weight.flatten() for weight in weights]).requires_grad_()
        h = x.double()
        for i, part in enumerate(theta.split([weight.numel() for weight in weights])):
            h = h @ part.view_as(weights[i]).mT
            if i + 1 < network.linear_from:
                h = ACTIVATIONS[network.config.activation].forward(h)
        loss = (h - targets.double()).square().sum() / (2 * len(x))
        (gradient,) = torch.autograd.grad(loss, theta, create_graph=True)
        # J^T v is linear in v, so its derivative by v along u is J u.
        v = torch.zeros_like(h, requires_grad=True)
        (pulled,) = torch.autograd.grad(h, theta, v, create_graph=True)

        def hessian(u: Tensor) -> Tensor:
            (product,) = torch.autograd.grad(gradient, theta, u, retain_graph=True)
            return product

        def kernel(u: Tensor) -> Tensor:
            (back,) = torch.autograd.grad(h, theta, u.view_as(h), retain_graph=True)
            (product,) = torch.autograd.grad(pulled, v, back, retain_graph=True)
            return product.flatten()

        return Curvature(largest_eigenvalue(hessian, theta), largest_eigenvalue(kernel, h.flatten()))


def largest_eigenvalue(times: Callable[[Tensor], Tensor], like: Tensor) -> float:
    """Of a symmetric matrix, given by its product with a vector [n] like another one; from a start of its own seed."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    n = like.numel()
    start = torch.randn(n, generator=generator(0, "largest eigenvalue"), dtype=torch.float64, device="cpu").numpy()

    def product(u: Any) -> Any:
        return times(torch.from_numpy(u.reshape(-1)).to(like)).detach().cpu().numpy()

    operator = LinearOperator((n, n), matvec=product, dtype=np.float64)
    return float(eigsh(operator, k=1, which="LA", v0=start, tol=TOLERANCE, return_eigenvectors=False)[0])

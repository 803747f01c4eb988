"""Small trained networks with a linear head, and disturbed ones."""

from functools import cache
from itertools import pairwise

import torch

K, N, WIDTH = 3, 12, 6
LABELS = torch.arange(K).repeat(N // K)
Y = torch.eye(K, dtype=torch.float64)[:, LABELS]


@cache
def trained(seed):
    """Two ReLU layers and three linear ones that start balanced, after some gradient descent: weights and inputs."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    inputs = normal(5, K)[:, LABELS] + 0.1 * normal(5, N)
    trunk = [normal(16, 5), normal(16, 16)]
    features = forward(trunk, inputs)[-1]
    trunk[1] *= 2.5 / largest(features)
    left = torch.linalg.svd(features).U[:, :K]
    scales = 0.8 + 0.4 * torch.rand(K, generator=draw, dtype=torch.float64)
    out, _, back = torch.linalg.svd(Y @ (scales[:, None] ** 3 * left.T @ features).T)
    frames = [left, *(torch.linalg.qr(normal(WIDTH, K)).Q for _ in range(2)), out @ back]
    head = [after * scales @ before.T for before, after in pairwise(frames)]
    weights = [w.requires_grad_() for w in (*trunk, *head)]
    for _ in range(400):
        loss = (forward(weights, inputs)[-1] - Y).square().sum() / 2
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for w, g in zip(weights, gradients, strict=True):
                w -= 0.01 * (g + 1e-3 * w)
    return [w.detach() for w in weights], inputs


def forward(weights, inputs):
    """Z_0 to Z_L, as columns."""
    z = [inputs]
    for i, w in enumerate(weights):
        z.append((w @ z[-1]).clamp(min=0) if i < 2 else w @ z[-1])
    return z


def largest(matrix):
    return float(torch.linalg.svdvals(matrix)[0])


def disturbed(seed, noise):
    weights, inputs = trained(seed)
    draw = torch.Generator().manual_seed(seed)
    moved = [w + noise * torch.randn(w.shape, generator=draw, dtype=torch.float64) for w in weights]
    return moved, forward(moved, inputs)

"""A mixture of Gaussians, one for each class: collapsed data with a given amount of noise."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_runner.config.choices import Means
from nc_runner.rng import generator


def gaussian_mixture(
    samples: int, dim: int, classes: int, *, sigma: float, means: Means, seed: int, test: bool = False
) -> tuple[Tensor, Tensor]:
    """Class means plus sigma times normal noise, labelled 0, 1, .., classes-1, 0, 1, .. .

    For Figure 1 of Zangrando et al. (2026) [choice]. The total cluster variation of x has expectation
    sigma^2 dim (samples - classes) / samples [derived]. One seed gives the same means and the same noise at every
    sigma, so that a sweep of sigma varies nothing else.

    Args:
        samples: N, a multiple of ``classes`` where all classes are to have equally many.
        dim: at least ``classes`` for orthonormal means.
        sigma: standard deviation of the noise in every direction.
        means: orthonormal, uniform among such sets; or random, normal of covariance 1/dim, so of mean square norm 1.
        seed: of the means and of the noise.
        test: the same means, and noise that no training set has.

    Returns:
        x float32 [samples, dim] and y int64 [samples].

    Raises:
        ValueError: orthonormal means in fewer dimensions than classes.
    """
    centres = torch.randn(dim, classes, generator=generator(seed, "mixture means"), dtype=torch.float64)
    if means is Means.orthonormal:
        if dim < classes:
            raise ValueError(f"dim is {dim}; orthonormal means of {classes} classes need at least as many dimensions.")
        # A QR decomposition fixes its signs in its own way; those of R's diagonal make Q uniform.
        q, r = torch.linalg.qr(centres)
        centres = q * r.diagonal().sign()
    else:
        centres = centres / dim**0.5
    purpose = "test noise" if test else "mixture noise"
    noise = torch.randn(samples, dim, generator=generator(seed, purpose), dtype=torch.float64)
    y = torch.arange(samples) % classes
    return (centres.T[y] + sigma * noise).float(), y

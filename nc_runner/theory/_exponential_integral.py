"""The entire exponential integral Ein(z) = Ei(z) - ln z - Euler's constant = sum_{k >= 1} z^k/(k k!), for z > 0."""

import torch
from torch import Tensor

_FAR = 50.0
_NEAR_TERMS = 150
_FAR_TERMS = 30


def scaled_entire_exponential_integral(z: Tensor) -> Tensor:
    """e^-z Ein(z), which neither over- nor underflows: z as z -> 0, 1/z as z -> infinity."""
    near = z.clamp(max=_FAR)
    series = torch.ones_like(z)
    for k in range(_NEAR_TERMS, 0, -1):
        series = 1 + near * (k / (k + 1) ** 2) * series
    # Ei(z) ~ (e^z/z) sum k!/z^k; beyond 50 the logarithm and the constant are below its rounding.
    inverse = z.clamp(min=_FAR).reciprocal()
    asymptotic = torch.ones_like(z)
    for k in range(_FAR_TERMS, 0, -1):
        asymptotic = 1 + k * inverse * asymptotic
    return torch.where(z < _FAR, near * series * torch.exp(-near), inverse * asymptotic)


def log_entire_exponential_integral(z: Tensor) -> Tensor:
    """log Ein(z)."""
    return z + scaled_entire_exponential_integral(z).log()

"""How evenly directions are spread over the sphere, for more of them than a simplex ETF has room for."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from ._inputs import vectors_in_float64
from ._pairs import apart_by_tiles
from .etf import less_their_mean

Kernel = Literal["log", "riesz", "distance"]

# Of squared distances and the power.
KERNELS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "log": lambda squared, _: squared.log() / -2,
    "riesz": lambda squared, power: squared ** (-power / 2),
    "distance": lambda squared, _: -squared.sqrt(),
}


def hyperspherical_energy(vectors: Tensor, *, kernel: Kernel, centred: bool, power: float | None = None) -> Tensor:
    """Mean over pairs i < j of a kernel of u_i = v_i/||v_i|| and u_j (hyperspherical uniformity; Liu et al., 2023).

    "log": log(1/||u_i - u_j||); "riesz": ||u_i - u_j||^(-s) with s > 0 the ``power``; "distance": -||u_i - u_j||, which
    is the Riesz kernel of s = -1, with the sign of s, so that less is more even. For K <= D + 1 each is least for a
    simplex ETF, whose pairs are all sqrt(2K/(K-1)) apart.

    Args:
        vectors: `[..., K, D]`, any floating dtype; computed in float64, by tiles of pairs.
        kernel: as above.
        centred: subtract the mean of the vectors first, as of class means (Wu & Papyan, 2024).
        power: s, of the Riesz kernel alone.

    Returns:
        `[...]` float64, less for more even directions, inf for "log" and "riesz" where two coincide; NaN for K = 1, a
        zero vector, or a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape, another kernel, or a power that does not fit.
    """
    return _kernel_statistics(vectors, kernel, centred, power)[0]


def hyperspherical_variance(vectors: Tensor, *, kernel: Kernel, centred: bool, power: float | None = None) -> Tensor:
    """Variance over pairs i < j of the kernels of `hyperspherical_energy` (GNC2; Wu & Papyan, 2024).

    0 for a simplex ETF, whose pairs are all alike. It divides by the number of pairs [choice]. The paper's exact
    normalisation was not at hand; its authors' published code has the mean and this variance.

    Args:
        vectors: `[..., K, D]`, any floating dtype; computed in float64, by tiles of pairs.
        kernel: as in `hyperspherical_energy`.
        centred: subtract the mean of the vectors first.
        power: s, of the Riesz kernel alone.

    Returns:
        `[...]` float64, at least 0; NaN for K = 1, a zero vector, a non-finite batch entry, or two equal directions for
        "log" and "riesz".

    Raises:
        ValueError: wrong dtype or shape, another kernel, or a power that does not fit.
    """
    return _kernel_statistics(vectors, kernel, centred, power)[1]


def _kernel_statistics(vectors: Tensor, kernel: Kernel, centred: bool, power: float | None) -> tuple[Tensor, Tensor]:
    """Mean and variance over pairs, `[...]` each."""
    if kernel not in KERNELS:
        raise ValueError(f'kernel is {kernel!r}; it must be "log", "riesz" or "distance".')
    if (kernel == "riesz") != (power is not None) or (power is not None and not power > 0):
        raise ValueError(f'power is {power}; it must be a number above 0 for kernel="riesz", and None for another.')
    vectors = vectors_in_float64("vectors", vectors)
    return kernel_statistics_of(less_their_mean(vectors) if centred else vectors, kernel, power)


def kernel_statistics_of(vectors: Tensor, kernel: Kernel, power: float | None) -> tuple[Tensor, Tensor]:
    """The same of float64 vectors as they are."""
    units = vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    flat = units.reshape(-1, *units.shape[-2:])
    means, variances = zip(*(_of_one(entry, kernel, power) for entry in flat), strict=True)
    return torch.stack(means).reshape(units.shape[:-2]), torch.stack(variances).reshape(units.shape[:-2])


def _of_one(units: Tensor, kernel: Kernel, power: float | None) -> tuple[Tensor, Tensor]:
    """Of unit vectors `[K, D]`; Welford's sums over tiles, as Chan, Golub & LeVeque (1983) add them."""
    count, mean, squares = 0, units.new_zeros(()), units.new_zeros(())
    for _, _, squared in apart_by_tiles(units):
        tile = squared[squared != torch.inf]
        if not len(tile):
            continue
        tile = KERNELS[kernel](tile, power or 0)
        own, new = tile.mean(), count + len(tile)
        squares = squares + (tile - own).square().sum() + (own - mean).square() * (count * len(tile) / new)
        mean = mean + (own - mean) * (len(tile) / new)
        count = new
    nan = units.new_full((), torch.nan)
    return (mean, squares / count) if count else (nan, nan)

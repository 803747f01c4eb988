"""How many samples each class has where classes are unequal."""

from __future__ import annotations

import math

from nc_runner.config.choices import Imbalance
from nc_runner.config.data_keys import DataConfig


def shares(data: DataConfig) -> list[float]:
    """The size of each class over that of the largest, class 0.

    long_tail: imbalance^(-k/(K-1)) for class k (Cui et al. 2019, "Class-balanced loss"). step: 1 for the first half of
    the classes, the middle one of an odd number included, and 1/imbalance for the others (Buda et al. 2018).
    """
    if data.imbalance_shape is Imbalance.step:
        return [1.0 if 2 * k < data.classes else 1 / data.imbalance for k in range(data.classes)]
    return [data.imbalance ** (-k / (data.classes - 1)) for k in range(data.classes)]


def sizes_below(largest: int, data: DataConfig) -> list[int]:
    """The size of each class where the largest has so many, to the nearest whole number."""
    return [round(largest * share) for share in shares(data)]


def sizes_of(total: int, data: DataConfig) -> list[int]:
    """The size of each class where all together have so many: the largest remainders are rounded up."""
    of = shares(data)
    exact = [total * share / math.fsum(of) for share in of]
    sizes = [math.floor(size) for size in exact]
    by_remainder = sorted(range(len(of)), key=lambda k: (sizes[k] - exact[k], k))
    for k in by_remainder[: total - sum(sizes)]:
        sizes[k] += 1
    return sizes

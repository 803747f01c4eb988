"""Fitting one number by a product of m factors, each under weight decay."""

import torch
from torch import Tensor

from ._roots import bisect


def product_residual(penalty: Tensor, factors: Tensor) -> Tensor:
    """v = 1 - p of the p >= 0 that minimises (1 - p)^2 + k m p^{2/m}; 1 where p = 0 is as good as any [derived].

    k is `penalty`, m is `factors`, and m p^{2/m} is the least sum of squares of m factors with product p. Stationary
    points are the v with v (1-v)^{1-2/m} = k. The least of them is the minimum. Its value v^2 + m v (1-v) is below that
    of p = 0, which is 1, exactly for v < 1/(m-1), and up to there the left-hand side increases.
    """
    power = 1 - 2 / factors
    end = (1 / (factors - 1)).clamp(max=1)
    edge = end * (1 - end) ** power
    residual = bisect(lambda v: v * (1 - v) ** power - penalty, torch.zeros_like(penalty * factors), end + 0 * penalty)
    return torch.where(penalty >= edge, 1.0, residual)

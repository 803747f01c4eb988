"""Lower bound on the norm of the mean of v/||v||, for vectors v with a large mean component along one direction."""

import torch
from torch import Tensor

from ._inputs import in_float64

_ROUNDING = 1e-12


def mean_direction_norm_bound(c: float | Tensor, alpha: float | Tensor, beta: float | Tensor) -> Tensor:
    """||mean v/||v|| || >= 2 (c / (alpha beta))^2 - 1 (conclusion of Pan, thesis, 2023, Lemma 2.4.5) [derived].

    For vectors v with mean ||v||^2 <= alpha^2 and mean w . v = c, where ||w|| <= beta. The proposition that the thesis
    quotes is false in general; the conclusion is not. With t = c/(alpha beta) >= 0 and r = w . v/||v|| <= beta,
    Cauchy-Schwarz gives mean max(r, 0)^2 >= t^2 beta^2. So at least a fraction t^2 of the r are positive, with
    mean max(r, 0) >= t^2 beta; the others are at least -beta each and contribute at least -(1 - t^2) beta to the mean.
    (Were no r negative, t^2 alone would be the bound.) Equality for t^2 >= 1/2: a fraction t^2 of the vectors along
    w, the rest against w and of vanishing length.

    Args:
        c: mean of w . v; its sign does not matter, as w may be turned round.
        alpha: bound on the root mean square of ||v||, greater than 0.
        beta: bound on ||w||, greater than 0.

    Returns:
        The bound, in [-1, 1], of the shape the arguments broadcast to; it says nothing where it is not positive. NaN
        where |c| > alpha beta, which no vectors allow.

    Raises:
        ValueError: alpha or beta out of range.
    """
    cosine = in_float64("c", c).abs() / (in_float64("alpha", alpha, above=0) * in_float64("beta", beta, above=0))
    bound = 2 * cosine.clamp(max=1).square() - 1
    return bound.where(cosine <= 1 + _ROUNDING, torch.nan)

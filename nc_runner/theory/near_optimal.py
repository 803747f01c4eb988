"""Neural collapse guaranteed by a near-optimal loss."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._inputs import in_float64
from .cross_entropy import min_cross_entropy

_ROUNDING = 1e-12


class NearOptimalBounds(NamedTuple):
    """What Theorem 2.3.1 says of one loss; every field has the same shape."""

    eps: Tensor
    """Excess of the loss over its least value m(alpha, beta)."""
    curvature: Tensor
    """Lam, the least curvature of the loss as a function of the (negative, scaled) margin of a class."""
    intra_class_lower_bound: Tensor
    """Lower bound on intra_class_cosine(centred=False, self_pairs=True) of at least (1-delta) C classes."""
    vacuous: Tensor
    """bool: the bound says nothing. It is undefined, or at most 0, and no such cosine is negative."""
    vacuous_eps: Tensor
    """The least eps at which the bound is vacuous: how small the excess has to be for the theorem to say anything."""


def near_optimal_bounds(
    alpha: float | Tensor,
    beta: float | Tensor,
    loss: float | Tensor,
    num_classes: int | Tensor,
    delta: float | Tensor,
) -> NearOptimalBounds:
    """Intra-class cosine guaranteed by a mean cross-entropy of `loss` (Pan, thesis, 2023, Theorem 2.3.1) [paper].

    At least (1-delta) C of C balanced classes under a bias-free classifier have

        intra_c >= 1 - 8 ((C-1)/(C alpha beta)) sqrt(2 eps (1-delta)/(Lam delta)),   eps = loss - m(alpha, beta),
        Lam = min over |x| <= C alpha beta of (C-1) e^x / (1 + (C-1) e^x)^2,

    with the constants of the proof. Lam is the derivative of the logistic function at x + log(C-1), even and
    unimodal about x = -log(C-1) <= 0, so the least is at the upper end, x = C alpha beta.

    Where the bound is not vacuous it holds [derived]: a class mean may lie beyond C alpha beta, and per-class norms
    differ from alpha and beta, but there the first-order cost of either exceeds eps. That argument needs C >= 3, and
    delta <= 1 - 1/C: for delta -> 1 the bound tends to 1 whatever the loss, though one class is always promised.

    Args:
        alpha: root mean square feature norm, sqrt(mean ||h||^2), greater than 0.
        beta: ||W||_F / sqrt(C), greater than 0. With a last-layer bias, append 1 to h and the bias to w in both.
        loss: mean cross-entropy in nats of the same features and weight. Its rounding matters, as the bound falls
            with sqrt(eps): add 1e-8 to a loss that is known to 1e-8.
        num_classes: C, at least 3.
        delta: fraction of classes given up, in (0, 1 - 1/C]; less than 1/C gives up none.

    Returns:
        The fields of `NearOptimalBounds`, of the shape the arguments broadcast to. A loss below m(alpha, beta) means
        that a premise fails (unequal classes, a bias left out): the bound is then NaN and vacuous.

    Raises:
        ValueError: an argument out of range.
    """
    classes = in_float64("num_classes", num_classes, at_least=3)
    given_up = in_float64("delta", delta, above=0, below=1)
    norms = in_float64("alpha", alpha, above=0) * in_float64("beta", beta, above=0)
    measured = in_float64("loss", loss, at_least=0)
    highest = 1 - 1 / classes
    excluded = given_up > highest * (1 + 1e-6)  # 1 - 1/C may have come as a float32
    if bool(excluded.any()):
        worst, limit = (float(x.expand_as(excluded)[excluded][0]) for x in (given_up, highest))
        raise ValueError(f"delta is {worst:g}; it must be at most 1 - 1/num_classes, {limit:g}.")

    eps = measured - min_cross_entropy(norms, 1.0, classes)
    # An exact optimum may round to just below the least loss; anything further below is a premise that fails.
    eps = eps.masked_fill((eps < 0) & (eps >= -_ROUNDING * measured), 0)

    # In logarithms: Lam falls like exp(-C alpha beta) and underflows long before a network's norms are unusual.
    end = classes * norms + torch.log(classes - 1)
    log_curvature = -end - 2 * torch.log1p(torch.exp(-end))
    log_per_eps = torch.log(2 * (1 - given_up) / given_up) - log_curvature
    scale = 8 * (classes - 1) / (classes * norms)
    bound = 1 - scale * torch.exp((torch.log(eps) + log_per_eps) / 2)
    return NearOptimalBounds(
        eps=eps.expand_as(bound),
        curvature=log_curvature.exp().expand_as(bound),
        intra_class_lower_bound=bound,
        vacuous=~(bound > 0),
        vacuous_eps=torch.exp(-2 * torch.log(scale) - log_per_eps).expand_as(bound),
    )

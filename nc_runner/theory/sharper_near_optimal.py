"""Neural collapse guaranteed by a near-optimal loss, at a rate of eps itself rather than of its root."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._inputs import in_float64
from .cross_entropy import min_cross_entropy

_HALVINGS = 80


class SharperNearOptimalBounds(NamedTuple):
    """Bounds on cosines of uncentred features, self pairs included; every field has the same shape."""

    intra_class_lower_bound: Tensor
    """Of all but less than delta C classes; 0 where nothing is said."""
    inter_class_upper_bound: Tensor
    """Of every pair of classes; 1 where nothing is said."""


def sharper_near_optimal_bounds(
    alpha: float | Tensor,
    beta: float | Tensor,
    loss: float | Tensor,
    num_classes: int | Tensor,
    delta: float | Tensor,
) -> SharperNearOptimalBounds:
    """What Theorem 2.3.1 of Pan (thesis, 2023) bounds, by other steps [derived].

    Of C balanced classes under a bias-free classifier let q = w_y . h less the mean logit, f(q) the loss of logits that
    are equal but for the true one, f(q) = log(1 + (C-1) e^(-Cq/(C-1))), and eps = loss - f(alpha beta). Then

    - mean q >= c, f(c) = loss. The sum over classes of (norm of w_k) (norm of its h) - (mean q) is thus at most
      C (alpha beta - c), each term at least 0: linear in eps, where Lemma 2.4.1 has its root;
    - the mean q of a class is between x- and x+, beyond which the loss of this class and, by Jensen, of the others is
      above what is allowed;
    - a sample with q <= 0 costs at least B = f(0) - f(alpha beta) + f'(alpha beta) alpha beta, so few have it;
    - Lemma 2.4.5 without the others: with t = x-/(x- + (alpha beta - c)/delta) and pi = eps/(delta B)

          ||m|| >= t^2 - pi    for all classes but less than delta C, m the mean of h/||h||, whose square is intra;

    - Lemma 2.4.3 of the logits of one class: w_j . h <= V = -x-/(C-1) + sqrt(2 (e^(C x+/(C-1)) + C-1) (e^(C eps) - 1))
      on average, j another class, so that with delta = 1/C in t and pi, D = 2 (1 - t^2 + pi),

          inter <= V/x+ + sqrt(1/t^2 - 1) + 2 sqrt(D) + D        (V/x- where V > 0).

    Args:
        alpha, beta, loss: as in `near_optimal_bounds`.
        num_classes: C, at least 2.
        delta: in (0, 1]; k/C for the cosine of the class that has the k-th least.

    Returns:
        The fields of `SharperNearOptimalBounds`, of the shape the arguments broadcast to; NaN for a loss below
        the least.

    Raises:
        ValueError: an argument out of range.
    """
    classes = in_float64("num_classes", num_classes, at_least=2)
    delta = in_float64("delta", delta, above=0, at_most=1)
    norms = in_float64("alpha", alpha, above=0) * in_float64("beta", beta, above=0)
    least = min_cross_entropy(norms, 1.0, classes)
    eps = in_float64("loss", loss, at_least=0) - least
    eps = eps.masked_fill((eps < 0) & (eps >= -1e-12 * least), 0)
    classes, delta, norms, least, eps = torch.broadcast_tensors(classes, delta, norms, least, eps)

    lost = (classes - 1) / classes * torch.log1p(torch.expm1(eps) / -torch.expm1(-least))  # alpha beta - c
    low, high = class_means_between(norms, eps, classes)
    low = low.clamp(min=0)
    at_zero = divergence(torch.zeros_like(norms), norms, classes)

    t, against = low / (low + lost / delta), eps / (delta * at_zero)
    direction = (t.square() - against).clamp(min=0)
    one, against_one = low / (low + lost * classes), eps * classes / at_zero
    off = 2 * (1 - one.square() + against_one)
    excess = (2 * ((classes * high / (classes - 1)).exp() + classes - 1) * torch.expm1(classes * eps)).sqrt()
    logit = excess - low / (classes - 1)
    inter = logit / torch.where(logit < 0, high, low) + (one.pow(-2) - 1).sqrt() + 2 * off.sqrt() + off
    undefined = eps.isnan() | (eps < 0)
    return SharperNearOptimalBounds(
        direction.square().masked_fill(undefined, torch.nan),
        inter.nan_to_num(1.0).clamp(max=1).masked_fill(undefined, torch.nan),
    )


def divergence(q: Tensor, norms: Tensor, classes: Tensor) -> Tensor:
    """f(q) less its tangent at alpha beta, without cancelling near it."""
    rate = classes / (classes - 1)
    off = torch.sigmoid((classes - 1).log() - rate * norms)  # the least softmax mass of the other classes
    step = rate * (norms - q)
    # log(1 + off (e^step - 1)) of any step, as its exponential overflows.
    grown = torch.where(step > 30, off.log() + step, torch.log1p(off * torch.expm1(step.clamp(max=30))))
    return grown - off * step


def class_means_between(norms: Tensor, eps: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the largest mean q of one class at which the loss, others at their best, exceeds by eps."""

    def excess(moved: Tensor) -> Tensor:
        others = norms - moved / (classes - 1)
        own = divergence(norms + moved, norms, classes)
        return (own + (classes - 1) * divergence(others, norms, classes)) / classes

    ends = []
    for sign in (-1.0, 1.0):
        inside, outside = torch.zeros_like(norms), torch.ones_like(norms)
        while bool((excess(sign * outside) < eps).any()):
            outside = torch.where(excess(sign * outside) < eps, 2 * outside, outside)
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            within = excess(sign * middle) <= eps
            inside, outside = torch.where(within, middle, inside), torch.where(within, outside, middle)
        ends.append(norms + sign * outside)
    return ends[0], ends[1]

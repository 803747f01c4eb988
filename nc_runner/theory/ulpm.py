"""Exact solutions of gradient flow on the unregularised layer-peeled model (ULPM; Ji et al., 2022).

The loss is L = s sum_i -log softmax_y(W h_i), no bias, over K classes of n samples; dW/dt = -dL/dW, dH/dt = -dL/dH. The
scale s is 1 for the sum over samples and 1/(K n) for their mean. Loss and gap reach limits like that of log t, so time
may be given as its logarithm: t = e^1000000 is where the asymptotic laws show.
"""

import torch
from torch import Tensor

from ._exponential_integral import log_entire_exponential_integral, scaled_entire_exponential_integral
from ._inputs import in_float64

_MAX_STEPS = 30


def ulpm_symmetric_gap(
    t: float | Tensor,
    num_classes: int | Tensor,
    per_class: int | Tensor,
    gap0: float | Tensor,
    scale: float | Tensor,
    *,
    log_time: bool = False,
) -> Tensor:
    """Logit gap z(t) of the true class over any other, from a balanced simplex ETF at t = 0 on.

    With rows w_k = a u_k and every h of class k equal to b u_k, u_k the unit vectors of a simplex ETF, and balanced,
    a = sqrt(n) b, gradient flow keeps this form, z = a b K/(K-1), and [derived]

        dz/dt = 2 s K sqrt(n) z/(e^z + K - 1),
        Ei(z) + (K-1) ln z = 2 s K sqrt(n) t + Ei(z0) + (K-1) ln z0.

    The loss is s K n log(1 + (K-1) e^-z), and ||W||_F^2 = ||H||_F^2 = (K-1) sqrt(n) z.

    Args:
        t: time, at least 0; its natural logarithm, of any size and sign, if `log_time`.
        num_classes: K, at least 2.
        per_class: n, at least 1.
        gap0: z0 = z(0) > 0. At a gap of 0 gradient flow stays; a negative one goes there.
        scale: s > 0.
        log_time: whether t is log t.

    Returns:
        z >= z0, of the shape the arguments broadcast to, with a relative error of 1e-15 or so, and up to 1e-13 where
        z0 is many orders of magnitude below 1 and z still is, as z/z0 has the error of its logarithm.

    Raises:
        ValueError: an argument out of range.
    """
    classes = in_float64("num_classes", num_classes, at_least=2)
    rate = 2 * in_float64("scale", scale, above=0) * classes * in_float64("per_class", per_class, at_least=1).sqrt()
    start = in_float64("gap0", gap0, above=0)
    log_t = in_float64("t", t) if log_time else in_float64("t", t, at_least=0).log()
    return _solve_gap(log_t + rate.log(), classes, start)


def ulpm_saddle_gap(
    t: float | Tensor, gap0: float | Tensor, scale: float | Tensor, *, log_time: bool = False
) -> Tensor:
    """Logit gap y(t) along the ray of a saddle: W = H = r M, K = 4, n = 1 (Ji et al., 2022, Example 3.1).

    M = [[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, -1], [0, 0, -1, 1]] is a KKT point of the hard-margin problem and not
    its optimum. Gradient flow keeps the ray; y = 2 r^2 is the logit of the true class less that of either class of
    the other pair (less that of its partner: 2 y), and [derived]

        dy/dt = 4 s y/(e^y + 1),    Ei(y) + ln y = 4 s t + Ei(y0) + ln y0.

    The loss is 8 s log(1 + e^-y), and ||W||_F^2 = ||H||_F^2 = 4 y.

    Args:
        t: time, at least 0; its natural logarithm, of any size and sign, if `log_time`.
        gap0: y0 = y(0) > 0.
        scale: s > 0.
        log_time: whether t is log t.

    Returns:
        y >= y0, of the shape the arguments broadcast to, as accurate as `ulpm_symmetric_gap`.

    Raises:
        ValueError: an argument out of range.
    """
    # The same equation as for two classes of one sample each.
    return ulpm_symmetric_gap(t, 2, 1, gap0, scale, log_time=log_time)


def _solve_gap(log_tau: Tensor, classes: Tensor, start: Tensor) -> Tensor:
    """z >= start with Ei(z) + (K-1) ln z = tau + Ei(start) + (K-1) ln start, given log tau.

    As Ei(z) = gamma + ln z + Ein(z) with the entire function Ein(z) = sum z^k/(k k!), which is positive, that is

        K ln(z/start) + Ein(z) = tau + Ein(start),

    in which nothing cancels: not where Ei changes its sign, at 0.37, nor near 0, where all is logarithms. Newton on
    the logarithm of both sides, kept in a bracket; ten steps suffice, and rounding may keep it moving after that.
    """
    log_tau, classes, start = torch.broadcast_tensors(log_tau, classes, start)
    target = torch.logaddexp(log_tau, log_entire_exponential_integral(start))
    # Right of the root, by each term alone: Ein(z) >= z, Ein(z) >= (4/9) z e^(z/2), and the logarithm.
    low = start
    high = torch.minimum(target.exp(), (2 * target).clamp(min=9 / 4))
    high = torch.minimum(high, start * (target.exp() / classes).exp())
    z = high
    for _ in range(_MAX_STEPS):
        shrink = torch.exp(-z)
        growth = 2 * torch.log(z.sqrt() / start.sqrt())  # z/start itself may overflow
        scaled = scaled_entire_exponential_integral(z) + shrink * classes * growth
        excess = z + scaled.log() - target
        high, low = torch.where(excess > 0, z, high), torch.where(excess < 0, z, low)
        slope = (1 + (classes - 1) * shrink) / scaled  # of the logarithm, by ln z
        newton = z * (1 - excess / slope)
        inside = (newton >= low) & (newton <= high)
        # Without the logarithm the equation is convex in ln z: from the right of the root Newton cannot overshoot.
        careful = torch.where(excess > 0, z * torch.exp(torch.expm1(-excess) / slope), low.sqrt() * high.sqrt())
        following = torch.where(inside, newton, careful)
        moved = (following - z).abs() > 2 * torch.finfo(torch.float64).eps * z
        z = following
        if not bool(moved.any()):
            break
    return z

"""Neural collapse guaranteed by a small loss and a balanced linear head."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._inputs import in_float64


class LinearHeadBounds(NamedTuple):
    """What Theorem B.1 says of one network; every field has the same shape."""

    psi: Tensor
    """Upper bound on ||Z_{L-1} - W_L^+ Y||_F, the distance of the last features from collapse."""
    trace_ratio: Tensor
    """Upper bound on within_between_trace_ratio of Z_{L-1} (NC1)."""
    condition_number: Tensor
    """Upper bound on class_mean_condition_number(centred=False) of Z_{L-1} (NC2)."""


def linear_head_bounds(
    *,
    interpolation_error: float | Tensor,
    imbalance: float | Tensor,
    norm_bound: float | Tensor,
    condition_number: float | Tensor,
    width: int | Tensor,
    samples: int | Tensor,
    num_classes: int | Tensor,
) -> LinearHeadBounds:
    """Collapse of Z_{L-1} in any network whose last two layers are linear (Jacot et al., 2025, Theorem B.1) [paper].

    With Z_{L-1} = W_{L-1} Z_{L-2} and Z_L = W_L Z_{L-1}, no biases, K balanced classes, Y one-hot `[K, N]` so that
    s_K(Y) = sqrt(N/K),

        Psi = r (e1/(s_K(Y) - e1) + sqrt(n e2)),
        NC1 <= (r^2/N) Psi^2 / (sqrt((K-1)/K) - 2 e1/sqrt(N))^2,
        NC2 <= (kappa(W_L) + r Psi/s_K(Y)) / (1 - r Psi/s_K(Y)).

    Only the last two layers have to be balanced. `sharper_linear_head_bounds` has each norm itself in place of r.

    Args:
        interpolation_error: e1 >= ||Z_L - Y||_F, over all N samples.
        imbalance: e2 >= ||W_L^T W_L - W_{L-1} W_{L-1}^T||_op, the numerator of metrics.balancedness.
        norm_bound: r >= the operator norms of W_L, Z_{L-1} and Z_{L-2}, greater than 0. The Z grow like sqrt(N).
        condition_number: kappa(W_L), its largest over its K-th singular value, at least 1.
        width: n, of Z_{L-1}, at least 1.
        samples: N, at least 1.
        num_classes: K, at least 2.

    Returns:
        The fields of `LinearHeadBounds`, float64, of the shape the arguments broadcast to. Infinite where a premise
        fails and nothing is promised: all for e1 >= s_K(Y), NC1 for e1 >= sqrt((K-1) N/(4K)), NC2 for
        r Psi >= s_K(Y).

    Raises:
        ValueError: an argument out of range.
    """
    error = in_float64("interpolation_error", interpolation_error, at_least=0)
    unbalanced = in_float64("imbalance", imbalance, at_least=0)
    bound = in_float64("norm_bound", norm_bound, above=0)
    condition = in_float64("condition_number", condition_number, at_least=1)
    features = in_float64("width", width, at_least=1)
    count = in_float64("samples", samples, at_least=1)
    classes = in_float64("num_classes", num_classes, at_least=2)

    scale = (count / classes).sqrt()
    psi = bound * (error / (scale - error) + (features * unbalanced).sqrt())
    psi = psi.masked_fill(error >= scale, torch.inf)
    return _of_distance(psi, 2 * error, bound, condition, count, classes, unbalanced + features)


def sharper_linear_head_bounds(
    *,
    interpolation_error: float | Tensor,
    imbalance: float | Tensor,
    weight_norm: float | Tensor,
    least_singular_value: float | Tensor,
    feature_norm: float | Tensor,
    width: int | Tensor,
    samples: int | Tensor,
    num_classes: int | Tensor,
) -> LinearHeadBounds:
    """Theorem B.1 with each norm itself in place of r, and two steps of its proof sharpened [derived].

    With w = ||W_L||_op, s = s_K(W_L), z = ||Z_{L-2}||_op and the rest as in `linear_head_bounds`,

        Psi = sqrt((e1/s)^2 + (n-K) z^2 e2),
        NC1 <= (w^2/N) Psi^2 / (sqrt((K-1)/K) - e1/sqrt(N))^2,
        NC2 <= (w/s + w Psi/s_K(Y)) / (1 - w Psi/s_K(Y)).

    The part of Z_{L-1} in the row space of W_L is W_L^+ Z_L, within e1/s of W_L^+ Y. The rest is orthogonal to it. As
    W_L vanishes there, W_{L-1} has no singular value above sqrt(e2) on those n-K dimensions. The class means of the
    outputs are within e1 sqrt(K/N) of one-hot, which w passes on to the class means of Z_{L-1}. The bound Psi is
    attained, that on NC1 to leading order, that on NC2 for Psi = 0.

    Args:
        interpolation_error: e1 >= ||Z_L - Y||_F, over all N samples.
        imbalance: e2 >= ||W_L^T W_L - W_{L-1} W_{L-1}^T||_op.
        weight_norm: w, greater than 0.
        least_singular_value: s, at least 0.
        feature_norm: z, at least 0.
        width: n, of Z_{L-1}, at least 1; for n < K, W_L has no K-th singular value.
        samples: N, at least 1.
        num_classes: K, at least 2.

    Returns:
        The fields of `LinearHeadBounds`, float64, of the shape the arguments broadcast to. Infinite where nothing is
        promised: all for s = 0 or n < K, NC1 for e1 >= sqrt((K-1) N/K), NC2 for w Psi >= s_K(Y).

    Raises:
        ValueError: an argument out of range.
    """
    error = in_float64("interpolation_error", interpolation_error, at_least=0)
    unbalanced = in_float64("imbalance", imbalance, at_least=0)
    largest = in_float64("weight_norm", weight_norm, above=0)
    least = in_float64("least_singular_value", least_singular_value, at_least=0)
    inputs = in_float64("feature_norm", feature_norm, at_least=0)
    features = in_float64("width", width, at_least=1)
    count = in_float64("samples", samples, at_least=1)
    classes = in_float64("num_classes", num_classes, at_least=2)

    psi = torch.hypot(error / least, inputs * ((features - classes) * unbalanced).sqrt())
    psi = psi.masked_fill((least == 0) | (features < classes), torch.inf)
    return _of_distance(psi, error, largest, largest / least, count, classes, unbalanced + features + inputs)


def _of_distance(
    psi: Tensor,
    shift: Tensor,
    weight_norm: Tensor,
    condition: Tensor,
    samples: Tensor,
    classes: Tensor,
    others: Tensor,
) -> LinearHeadBounds:
    """The bounds from Psi; `shift` / sqrt(N) is what the means of the outputs may lack of the spread of one-hot.

    `others`: the sum of what else Psi was computed from.
    """
    spread = ((classes - 1) / classes).sqrt() - shift / samples.sqrt()
    trace_ratio = (weight_norm * psi / spread).square() / samples
    relative = weight_norm * psi / (samples / classes).sqrt()
    number = ((condition + relative) / (1 - relative)).masked_fill(relative >= 1, torch.inf)
    fields = (psi, trace_ratio.masked_fill(spread <= 0, torch.inf), number)
    # An infinity filled in above must not hide a NaN argument.
    undefined = (others + shift + weight_norm + condition + samples + classes).isnan()
    return LinearHeadBounds(*(torch.where(undefined, torch.nan, field) for field in fields))

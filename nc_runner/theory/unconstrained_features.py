"""The global optimum of the unconstrained-features model under weight decay."""

from typing import NamedTuple

from torch import Tensor

from ._inputs import in_float64
from .layer_peeled import layer_peeled_optimum


class UfmOptimum(NamedTuple):
    """What the minimiser of the unconstrained-features objective looks like; every field has the same shape."""

    logit_gap: Tensor
    """Logit of the true class minus that of any other."""
    weight_norm_squared: Tensor
    """||W||_F^2."""
    feature_norm_squared: Tensor
    """||H||_F^2, the sum over all K n samples."""
    cross_entropy: Tensor
    """Mean cross-entropy in nats, without the penalties."""
    total: Tensor
    """Cross-entropy plus penalties."""


def ufm_optimum(
    num_classes: int | Tensor,
    per_class: int | Tensor,
    weight_decay_weight: float | Tensor,
    weight_decay_features: float | Tensor,
) -> UfmOptimum:
    """Least of mean CE + (lW/2) ||W||_F^2 + (lH/2) ||H||_F^2 over free features and a bias-free classifier.

    K balanced classes of n samples, width at least K-1 (the model of Ji et al., 2022, with weight decay)
    [derived]. With r = sqrt(n lW lH) < 1/K:

        gap z = ln(1/r - K + 1),   ||W||_F^2 = (K-1) sqrt(n lH/lW) z,   ||H||_F^2 = (K-1) sqrt(n lW/lH) z,
        CE = -log(1 - (K-1) r),    total = CE + (K-1) r z.

    From r = 1/K on the penalties outweigh any gain and the optimum is zero: gap and norms 0, CE = log K. As only
    lW lH matters to gap and loss, they are those of `layer_peeled_optimum` at lambda = sqrt(K) r.

    Args:
        num_classes: K, at least 2.
        per_class: n, at least 1.
        weight_decay_weight: lW > 0.
        weight_decay_features: lH > 0, of each feature; not divided by the number of samples.

    Returns:
        The fields of `UfmOptimum`, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    classes = in_float64("num_classes", num_classes, at_least=2)
    samples = in_float64("per_class", per_class, at_least=1)
    on_weight = in_float64("weight_decay_weight", weight_decay_weight, above=0)
    on_features = in_float64("weight_decay_features", weight_decay_features, above=0)
    balance = (samples * on_features / on_weight).sqrt()  # ||W||^2 over (K-1) z
    gap, _, cross_entropy, total = layer_peeled_optimum(classes.sqrt() * on_weight * balance, classes)
    weight_norm_squared = (classes - 1) * balance * gap
    return UfmOptimum(gap, weight_norm_squared, weight_norm_squared * on_weight / on_features, cross_entropy, total)

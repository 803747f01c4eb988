"""Closed forms and bounds for neural collapse under norm bounds, weight decay, BatchNorm and gradient flow.

Plain functions of floats or tensors, which broadcast; computed in float64. A NaN argument gives NaN.
"""

from .batchnorm import batchnorm_second_moment, plain_batchnorm_gap
from .cross_entropy import min_cross_entropy
from .layer_peeled import LayerPeeledOptimum, layer_peeled_optimum
from .mean_direction import mean_direction_norm_bound
from .near_optimal import NearOptimalBounds, near_optimal_bounds
from .subset_means import subset_mean_deviation_bound, subset_mean_excess_bound
from .ulpm import ulpm_saddle_gap, ulpm_symmetric_gap
from .unconstrained_features import UfmOptimum, ufm_optimum

__all__ = [
    "LayerPeeledOptimum",
    "NearOptimalBounds",
    "UfmOptimum",
    "batchnorm_second_moment",
    "layer_peeled_optimum",
    "mean_direction_norm_bound",
    "min_cross_entropy",
    "near_optimal_bounds",
    "plain_batchnorm_gap",
    "subset_mean_deviation_bound",
    "subset_mean_excess_bound",
    "ufm_optimum",
    "ulpm_saddle_gap",
    "ulpm_symmetric_gap",
]

"""Closed forms, optima and bounds for neural collapse under norm bounds, weight decay, BatchNorm and gradient flow.

Plain functions of floats or tensors, which broadcast; computed in float64. A NaN argument gives NaN.
"""

from .batchnorm import batchnorm_second_moment, plain_batchnorm_gap
from .cross_entropy import min_cross_entropy
from .feedforward import FeedforwardOptimum, feedforward_singular_values
from .first_layer import FirstLayerOptimum, first_layer_delta_limit, first_layer_delta_singular_values
from .layer_peeled import LayerPeeledOptimum, layer_peeled_optimum
from .mean_direction import mean_direction_norm_bound
from .near_optimal import NearOptimalBounds, near_optimal_bounds
from .resnet import ResNetOptimum, resnet_singular_values
from .resnet_first_layer import ResNetFirstLayerOptimum, resnet_first_layer_singular_values
from .subset_means import subset_mean_deviation_bound, subset_mean_excess_bound
from .ulpm import ulpm_saddle_gap, ulpm_symmetric_gap
from .unconstrained_features import UfmOptimum, ufm_optimum

__all__ = [
    "FeedforwardOptimum",
    "FirstLayerOptimum",
    "LayerPeeledOptimum",
    "NearOptimalBounds",
    "ResNetFirstLayerOptimum",
    "ResNetOptimum",
    "UfmOptimum",
    "batchnorm_second_moment",
    "feedforward_singular_values",
    "first_layer_delta_limit",
    "first_layer_delta_singular_values",
    "layer_peeled_optimum",
    "mean_direction_norm_bound",
    "min_cross_entropy",
    "near_optimal_bounds",
    "plain_batchnorm_gap",
    "resnet_first_layer_singular_values",
    "resnet_singular_values",
    "subset_mean_deviation_bound",
    "subset_mean_excess_bound",
    "ufm_optimum",
    "ulpm_saddle_gap",
    "ulpm_symmetric_gap",
]

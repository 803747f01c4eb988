"""Closed forms, optima and bounds for neural collapse under norm bounds, weight decay, BatchNorm and gradient flow.

Plain functions of floats or tensors, which broadcast; computed in float64. A NaN argument gives NaN.

Marks in the docstrings: [paper] is stated in the source, [derived] is derived by us.
"""

from .batchnorm import batchnorm_second_moment, plain_batchnorm_gap
from .cross_entropy import min_cross_entropy
from .feedforward import FeedforwardOptimum, feedforward_singular_values
from .first_layer import FirstLayerOptimum, first_layer_delta_limit, first_layer_delta_singular_values
from .imbalance import ImbalanceDecay, imbalance_decay, imbalance_step
from .layer_peeled import LayerPeeledOptimum, layer_peeled_optimum
from .linear_head import LinearHeadBounds, linear_head_bounds, sharper_linear_head_bounds
from .mean_direction import mean_direction_norm_bound
from .near_optimal import NearOptimalBounds, near_optimal_bounds
from .ntk import linear_head_condition_bound, linear_head_ntk_bound
from .resnet import ResNetOptimum, resnet_singular_values
from .resnet_first_layer import ResNetFirstLayerOptimum, resnet_first_layer_singular_values
from .sharper_near_optimal import SharperNearOptimalBounds, sharper_near_optimal_bounds
from .subset_means import subset_mean_deviation_bound, subset_mean_excess_bound
from .ulpm import ulpm_saddle_gap, ulpm_symmetric_gap
from .unconstrained_features import UfmOptimum, ufm_optimum

__all__ = [
    "FeedforwardOptimum",
    "FirstLayerOptimum",
    "ImbalanceDecay",
    "LayerPeeledOptimum",
    "LinearHeadBounds",
    "NearOptimalBounds",
    "ResNetFirstLayerOptimum",
    "ResNetOptimum",
    "SharperNearOptimalBounds",
    "UfmOptimum",
    "batchnorm_second_moment",
    "feedforward_singular_values",
    "first_layer_delta_limit",
    "first_layer_delta_singular_values",
    "imbalance_decay",
    "imbalance_step",
    "layer_peeled_optimum",
    "linear_head_bounds",
    "linear_head_condition_bound",
    "linear_head_ntk_bound",
    "mean_direction_norm_bound",
    "min_cross_entropy",
    "near_optimal_bounds",
    "plain_batchnorm_gap",
    "resnet_first_layer_singular_values",
    "resnet_singular_values",
    "sharper_linear_head_bounds",
    "sharper_near_optimal_bounds",
    "subset_mean_deviation_bound",
    "subset_mean_excess_bound",
    "ufm_optimum",
    "ulpm_saddle_gap",
    "ulpm_symmetric_gap",
]

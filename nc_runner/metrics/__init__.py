"""Measures of neural collapse: plain tensors in, float64 tensors out, NaN where a measure is undefined.

Features are `[..., N, D]`, labels `[N]` (any integer dtype, 0..K-1); any leading axes are batch axes and never mix.

Marks in the docstrings: [paper] is stated in the source, [derived] is derived by us, [choice] is our choice where the
source leaves it open.
"""

from .balancedness import balancedness
from .cdnv import class_distance_normalized_variance
from .condition import class_mean_condition_number
from .cosine import inter_class_cosine, intra_class_cosine
from .depth import effective_depth
from .duality import self_duality_cosine, self_duality_distance, self_duality_frobenius, uniform_duality_variance
from .effective_rank import effective_rank
from .etf import etf_cosine_deviation
from .hyperspherical import hyperspherical_energy, hyperspherical_variance
from .kkt import kkt_residual
from .margins import margin_ratio, margins
from .means import class_means
from .minority import minority_collapse_cosine
from .nc import nc
from .ncc import ncc_accuracy, ncc_accuracy_by_means, ncc_agreement
from .negativity import negativity
from .norms import norm_variation, operator_norm
from .one_vs_rest import one_vs_rest_distance
from .ood import out_of_distribution_cosine
from .probe import linear_decodability, linear_probe_accuracy
from .rank import numerical_rank, relative_rank_distance
from .rank_bound import rank_tcv_bound
from .regression import regression_feature_collapse, regression_self_duality, regression_weight_structure
from .scatter import (
    within_between_pinv_trace,
    within_between_trace_ratio,
    within_between_trace_ratio_class_balanced,
    within_class_variation,
)
from .simplex import simplex_etf_distance, simplex_etf_duality_distance
from .variation import total_cluster_variation
from .vci import variability_collapse_index

__all__ = [
    "balancedness",
    "class_distance_normalized_variance",
    "class_mean_condition_number",
    "class_means",
    "effective_depth",
    "effective_rank",
    "etf_cosine_deviation",
    "hyperspherical_energy",
    "hyperspherical_variance",
    "inter_class_cosine",
    "intra_class_cosine",
    "kkt_residual",
    "linear_decodability",
    "linear_probe_accuracy",
    "margin_ratio",
    "margins",
    "minority_collapse_cosine",
    "nc",
    "ncc_accuracy",
    "ncc_accuracy_by_means",
    "ncc_agreement",
    "negativity",
    "norm_variation",
    "numerical_rank",
    "one_vs_rest_distance",
    "operator_norm",
    "out_of_distribution_cosine",
    "rank_tcv_bound",
    "regression_feature_collapse",
    "regression_self_duality",
    "regression_weight_structure",
    "relative_rank_distance",
    "self_duality_cosine",
    "self_duality_distance",
    "self_duality_frobenius",
    "simplex_etf_distance",
    "simplex_etf_duality_distance",
    "total_cluster_variation",
    "uniform_duality_variance",
    "variability_collapse_index",
    "within_between_pinv_trace",
    "within_between_trace_ratio",
    "within_between_trace_ratio_class_balanced",
    "within_class_variation",
]

"""Measures of neural collapse: plain tensors in, float64 tensors out, NaN where a measure is undefined.

Features are `[..., N, D]`, labels `[N]` (any integer dtype, 0..K-1); any leading axes are batch axes and never mix.

Marks in the docstrings: [paper] is stated in the source, [derived] is derived by us, [choice] is our choice where the
source leaves it open.
"""

from .balancedness import balancedness
from .condition import class_mean_condition_number
from .cosine import inter_class_cosine, intra_class_cosine
from .depth import effective_depth
from .duality import self_duality_cosine, self_duality_distance
from .etf import etf_cosine_deviation
from .kkt import kkt_residual
from .margins import margin_ratio, margins
from .means import class_means
from .nc import nc
from .ncc import ncc_accuracy, ncc_agreement
from .negativity import negativity
from .norms import norm_variation, operator_norm
from .rank import numerical_rank, relative_rank_distance
from .rank_bound import rank_tcv_bound
from .scatter import within_between_pinv_trace, within_between_trace_ratio, within_class_variation
from .variation import total_cluster_variation

__all__ = [
    "balancedness",
    "class_mean_condition_number",
    "class_means",
    "effective_depth",
    "etf_cosine_deviation",
    "inter_class_cosine",
    "intra_class_cosine",
    "kkt_residual",
    "margin_ratio",
    "margins",
    "nc",
    "ncc_accuracy",
    "ncc_agreement",
    "negativity",
    "norm_variation",
    "numerical_rank",
    "operator_norm",
    "rank_tcv_bound",
    "relative_rank_distance",
    "self_duality_cosine",
    "self_duality_distance",
    "total_cluster_variation",
    "within_between_pinv_trace",
    "within_between_trace_ratio",
    "within_class_variation",
]

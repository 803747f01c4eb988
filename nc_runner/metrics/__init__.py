"""Measures of neural collapse: plain tensors in, float64 tensors out, NaN where a measure is undefined.

Features are `[..., N, D]`, labels `[N]` (int64, 0..K-1); any leading axes are batch axes and never mix.
"""

from .cosine import inter_class_cosine, intra_class_cosine
from .depth import effective_depth
from .duality import self_duality_cosine
from .etf import etf_cosine_deviation
from .means import class_means
from .ncc import ncc_accuracy
from .rank import numerical_rank, relative_rank_distance
from .rank_bound import rank_tcv_bound
from .scatter import within_between_pinv_trace, within_between_trace_ratio
from .variation import total_cluster_variation

__all__ = [
    "class_means",
    "effective_depth",
    "etf_cosine_deviation",
    "inter_class_cosine",
    "intra_class_cosine",
    "ncc_accuracy",
    "numerical_rank",
    "rank_tcv_bound",
    "relative_rank_distance",
    "self_duality_cosine",
    "total_cluster_variation",
    "within_between_pinv_trace",
    "within_between_trace_ratio",
]

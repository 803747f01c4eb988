"""What each measure of a layer tells, in a few words, and its value at collapse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Meaning:
    """Of one measure.

    Attributes:
        words: at most five, so short that a line of the command has room for them.
        at_collapse: the value there, or what gives it of the number of classes; None where collapse fixes none.
    """

    words: str
    at_collapse: float | Callable[[int], float] | None

    def collapsed(self, classes: int) -> float | None:
        """The value at collapse of so many classes."""
        return self.at_collapse(classes) if callable(self.at_collapse) else self.at_collapse


def apart(classes: int) -> float:
    """Distance of two directions of a simplex ETF."""
    return math.sqrt(2 * classes / (classes - 1))


# In the order in which they are told: NC1 to NC4.
MEANINGS = {
    "within_between_trace_ratio": Meaning("within over between", 0),
    "within_between_trace_ratio_class_balanced": Meaning("every class alike", 0),
    "within_between_pinv_trace": Meaning("NC1 along the means", 0),
    "within_class_variation": Meaning("distance to own mean", 0),
    "total_cluster_variation_mean": Meaning("scatter of a sample", 0),
    "total_cluster_variation_sum": Meaning("scatter of all", 0),
    "class_distance_normalized_variance": Meaning("variance over distance", 0),
    "variability_collapse_index": Meaning("spread not by class", 0),
    "mean_intra_class_cosine_uncentred": Meaning("alike within classes", 1),
    "min_intra_class_cosine_uncentred": Meaning("the widest class", 1),
    "linear_decodability": Meaning("R2 of linear probe", 1),
    "linear_probe_accuracy": Meaning("linear probe is right", 1),
    "etf_cosine_deviation_class_means": Meaning("angles of means", 0),
    "etf_cosine_deviation_weights": Meaning("angles of rows", 0),
    "norm_variation_class_means": Meaning("lengths of means vary", 0),
    "norm_variation_weights": Meaning("lengths of rows vary", 0),
    "simplex_etf_distance_class_means": Meaning("means from simplex ETF", 0),
    "simplex_etf_distance_weights": Meaning("rows from simplex ETF", 0),
    "class_mean_condition_number_centred": Meaning("stretch of means", 1),
    "class_mean_condition_number_uncentred": Meaning("1 where orthogonal", None),
    "effective_rank_class_means": Meaning("dimensions of means", lambda classes: classes - 1),
    "mean_inter_class_cosine_uncentred": Meaning("alike across classes", None),
    "max_inter_class_cosine_uncentred": Meaning("two closest classes", None),
    "hyperspherical_energy_log_class_means": Meaning("crowding of means", lambda classes: -math.log(apart(classes))),
    "hyperspherical_energy_distance_class_means": Meaning("less distance", lambda classes: -apart(classes)),
    "hyperspherical_variance_log_class_means": Meaning("crowding varies", 0),
    "hyperspherical_variance_distance_class_means": Meaning("distance varies", 0),
    "mean_norm": Meaning("mean length of features", None),
    "mean_self_duality_cosine_centred": Meaning("row along its mean", 1),
    "min_self_duality_cosine_centred": Meaning("the worst of these", 1),
    "self_duality_distance": Meaning("row from its mean", 0),
    "self_duality_frobenius": Meaning("rows from means, scaled", 0),
    "simplex_etf_duality_distance": Meaning("rows by means, from ETF", 0),
    "uniform_duality_variance": Meaning("row and mean, varying", 0),
    "ncc_agreement": Meaning("decides as nearest mean", 1),
    "ncc_accuracy": Meaning("nearest mean is right", 1),
    "mean_margin": Meaning("logit over next, mean", None),
    "min_margin": Meaning("logit over next, least", None),
}

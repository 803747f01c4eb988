"""Every measure that the sums of one pass give."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_runner.metrics._gram import symmetric
from nc_runner.metrics._inputs import check_weight, largest_norm
from nc_runner.metrics._scatter_matrix import pinv_trace_of_covariance
from nc_runner.metrics._singular import singular_values
from nc_runner.metrics.cdnv import class_distance_normalized_variance_of
from nc_runner.metrics.condition import condition_number_of
from nc_runner.metrics.duality import (
    self_duality_cosine_of,
    self_duality_distance_of,
    self_duality_frobenius_of,
    uniform_duality_variance_of,
)
from nc_runner.metrics.effective_rank import effective_rank_of
from nc_runner.metrics.etf import etf_cosine_deviation_of, less_their_mean
from nc_runner.metrics.hyperspherical import kernel_statistics_of
from nc_runner.metrics.norms import norm_variation_of
from nc_runner.metrics.probe import linear_decodability_of
from nc_runner.metrics.scatter import trace_ratios_of
from nc_runner.metrics.simplex import simplex_distance_of, simplex_duality_of
from nc_runner.metrics.vci import variability_collapse_index_of

from ._directions import cosines
from ._sums import Sums


def measures(sums: Sums, weight: Tensor | None, *, pairs: bool) -> dict[str, Tensor]:
    """By name, float64 scalars; a weight `[K, D]` has a row for each class of the sums."""
    of = sums.moments
    means = of.centred_means()
    means = of.shaped(means.where((largest_norm(means) > of.noise)[:, None, None], torch.nan))
    by_sample, balanced = trace_ratios_of(of)
    found = {
        "class_mean_condition_number_centred": condition_number_of(of, centred=True),
        "class_mean_condition_number_uncentred": condition_number_of(of, centred=False),
        "mean_norm": of.shaped(of.sums[..., 1].sum(dim=-1) / of.samples),
        "norm_variation_class_means": norm_variation_of(means),
        "total_cluster_variation_mean": of.shaped(of.trace_within()),
        "total_cluster_variation_sum": of.shaped(of.within().sum(dim=-1)),
        "within_between_trace_ratio": by_sample,
        "within_between_trace_ratio_class_balanced": balanced,
    }
    if pairs:
        found |= {
            "class_distance_normalized_variance": class_distance_normalized_variance_of(of),
            "effective_rank_class_means": effective_rank_of(singular_values("means", means)),
            "etf_cosine_deviation_class_means": etf_cosine_deviation_of(means),
            "simplex_etf_distance_class_means": simplex_distance_of(means, means),
        }
        for kernel in ("log", "distance"):
            energy, variance = kernel_statistics_of(means, kernel, None)
            found[f"hyperspherical_energy_{kernel}_class_means"] = energy
            found[f"hyperspherical_variance_{kernel}_class_means"] = variance
    if sums.scatter is not None:
        found |= of_covariance(sums)
    if sums.unit_sums is not None:
        found |= cosines(sums, pairs=pairs)
    if weight is not None:
        places = torch.arange(len(of.count), device=of.total.device)
        rows = check_weight(weight.to(of.total.device), of.total, places)
        centred = less_their_mean(rows)
        cosine = self_duality_cosine_of(of, rows, centred=True)
        if pairs:
            found |= {
                "etf_cosine_deviation_weights": etf_cosine_deviation_of(centred),
                "simplex_etf_distance_weights": simplex_distance_of(rows, rows),
                "simplex_etf_duality_distance": simplex_duality_of(of, rows),
            }
        found |= {
            "norm_variation_weights": norm_variation_of(centred),
            "min_self_duality_cosine_centred": cosine.amin(dim=-1),
            "mean_self_duality_cosine_centred": cosine.mean(dim=-1),
            "self_duality_distance": self_duality_distance_of(of, rows).mean(dim=-1),
            "self_duality_frobenius": self_duality_frobenius_of(of, rows),
            "uniform_duality_variance": uniform_duality_variance_of(of, rows),
        }
    return found


def of_covariance(sums: Sums) -> dict[str, Tensor]:
    """What S_W tells as a whole."""
    of, covariance = sums.moments, covariance_of(sums)
    return {
        "linear_decodability": of.shaped(linear_decodability_of(of, covariance)),
        "variability_collapse_index": of.shaped(variability_collapse_index_of(of, covariance)),
        "within_between_pinv_trace": of.shaped(pinv_trace_of_covariance(of, covariance)),
    }


def covariance_of(sums: Sums) -> Tensor:
    """S_W `[1, D, D]`."""
    return symmetric(sums.within_scatter())[None] / sums.moments.samples

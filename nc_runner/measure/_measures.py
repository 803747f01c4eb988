"""Every measure that the sums of one pass give."""

from __future__ import annotations

import torch
from torch import Tensor

from nc_runner.metrics._inputs import check_weight, largest_norm
from nc_runner.metrics.condition import condition_number_of
from nc_runner.metrics.duality import self_duality_cosine_of, self_duality_distance_of
from nc_runner.metrics.etf import etf_cosine_deviation_of, less_their_mean
from nc_runner.metrics.norms import norm_variation_of
from nc_runner.metrics.scatter import trace_ratio_of

from ._directions import cosines
from ._sums import Sums


def measures(sums: Sums, weight: Tensor | None) -> dict[str, Tensor]:
    """By name in alphabetical order, float64 scalars; a weight `[K, D]` has a row for each class of the sums."""
    of = sums.moments
    means = of.centred_means()
    means = of.shaped(means.where((largest_norm(means) > of.noise)[:, None, None], torch.nan))
    found = {
        "class_mean_condition_number_centred": condition_number_of(of, centred=True),
        "class_mean_condition_number_uncentred": condition_number_of(of, centred=False),
        "etf_cosine_deviation_class_means": etf_cosine_deviation_of(means),
        "mean_norm": of.shaped(of.sums[..., 1].sum(dim=-1) / of.samples),
        "norm_variation_class_means": norm_variation_of(means),
        "total_cluster_variation_mean": of.shaped(of.trace_within()),
        "total_cluster_variation_sum": of.shaped(of.within().sum(dim=-1)),
        "within_between_trace_ratio": trace_ratio_of(of),
    }
    if sums.unit_sums is not None:
        found |= cosines(sums)
    if weight is not None:
        places = torch.arange(len(of.count), device=of.total.device)
        rows = check_weight(weight.to(of.total.device), of.total, places)
        centred = less_their_mean(rows)
        cosine = self_duality_cosine_of(of, rows, centred=True)
        found |= {
            "etf_cosine_deviation_weights": etf_cosine_deviation_of(centred),
            "norm_variation_weights": norm_variation_of(centred),
            "min_self_duality_cosine_centred": cosine.amin(dim=-1),
            "mean_self_duality_cosine_centred": cosine.mean(dim=-1),
            "self_duality_distance": self_duality_distance_of(of, rows).mean(dim=-1),
        }
    return dict(sorted(found.items()))

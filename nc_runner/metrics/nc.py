"""NC1 to NC4 of one network's last layer, by name."""

import torch
from torch import Tensor

from ._inputs import check_samples, check_weight, largest_norm
from ._moments import moments
from .duality import self_duality_cosine_of, self_duality_distance_of
from .etf import etf_cosine_deviation_of, less_their_mean
from .ncc import ncc_accuracy_of, ncc_agreement_of
from .norms import norm_variation_of
from .scatter import pinv_trace_of, trace_ratio_of


def nc(features: Tensor, labels: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> dict[str, Tensor]:
    """The usual measures of neural collapse of last-layer features and their classifier, each by its name.

    The four properties are those of Papyan, Han & Donoho (2020). At collapse the accuracy and agreement of the nearest
    class mean and the self-duality cosine are 1, and all others 0. Each is the function of that name in
    ``nc_runner.metrics``, whose docstring has its formula and its source:

    - ``nc1_within_between_pinv_trace``: tr(S_W S_B^+)/K; ``nc1_within_between_trace_ratio``: tr S_W / tr S_B.
    - ``nc2_norm_variation_class_means``, ``nc2_etf_cosine_deviation_class_means``: lengths and angles of the class
      means less their mean; the same two of the rows of ``weight`` less their mean, ``..._weights``.
    - ``nc3_self_duality_distance``: mean over classes of the distance of row and mean, both centred and of norm 1;
      ``nc3_min_self_duality_cosine``: the least cosine of the same two.
    - ``nc4_ncc_agreement``: share of samples on which the classifier, its bias included, decides as the nearest class
      mean; ``nc4_ncc_accuracy``, which is not NC4 but often shown for it: share nearest to the mean of their own class.

    Args:
        features: `[..., N, D]`, the input of the output layer, any floating dtype; computed in float64.
        labels: `[N]`, any integer dtype, values 0..K-1, each there.
        weight: `[..., K, D]` of the output layer; without it there is no ``..._weights``, NC3 and agreement.
        bias: `[..., K]` of the output layer, where it has one.

    Returns:
        Each measure `[...]` in float64, NaN where it is undefined.

    Raises:
        ValueError: wrong dtype or shape, a negative label, a row of weight without a sample, a bias without a weight.
    """
    if bias is not None and weight is None:
        raise ValueError("bias is given without weight; of a classifier both are needed.")
    features, labels = check_samples(features, labels)
    rows = None if weight is None else check_weight(weight, features, labels)
    of = moments(features, labels)
    means = of.centred_means()
    means = of.shaped(means.where((largest_norm(means) > of.noise)[:, None, None], torch.nan))
    found = {
        "nc1_within_between_pinv_trace": pinv_trace_of(of, features, labels),
        "nc1_within_between_trace_ratio": trace_ratio_of(of),
        "nc2_norm_variation_class_means": norm_variation_of(means),
        "nc2_etf_cosine_deviation_class_means": etf_cosine_deviation_of(means),
        "nc4_ncc_accuracy": ncc_accuracy_of(of, features, labels),
    }
    if rows is not None:
        centred = less_their_mean(rows)
        found |= {
            "nc2_norm_variation_weights": norm_variation_of(centred),
            "nc2_etf_cosine_deviation_weights": etf_cosine_deviation_of(centred),
            "nc3_self_duality_distance": self_duality_distance_of(of, rows).mean(dim=-1),
            "nc3_min_self_duality_cosine": self_duality_cosine_of(of, rows, centred=True).amin(dim=-1),
            "nc4_ncc_agreement": ncc_agreement_of(of, features, labels, rows, bias),
        }
    return dict(sorted(found.items()))

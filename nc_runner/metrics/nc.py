"""NC1 to NC4 of one network's last layer, by name."""

import torch
from torch import Tensor

from ._inputs import ROUNDING, largest_norm, vectors_in_float64
from .duality import self_duality_cosine, self_duality_distance
from .etf import etf_cosine_deviation
from .means import class_means
from .ncc import ncc_accuracy, ncc_agreement
from .norms import norm_variation
from .scatter import within_between_pinv_trace, within_between_trace_ratio


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
    - ``nc4_ncc_accuracy``: share of samples nearest to the mean of their own class; ``nc4_ncc_agreement``: share on
      which the classifier, its bias included, decides as the nearest class mean.

    Args:
        features: `[..., N, D]`, the input of the output layer, any floating dtype; computed in float64.
        labels: `[N]`, int64, values 0..K-1.
        weight: `[..., K, D]` of the output layer; without it there is no ``..._weights``, NC3 and agreement.
        bias: `[..., K]` of the output layer, where it has one.

    Returns:
        Each measure `[...]` in float64, NaN where it is undefined.

    Raises:
        ValueError: wrong dtype or shape, a negative label, a bias without a weight.
    """
    if bias is not None and weight is None:
        raise ValueError("bias is given without weight; of a classifier both are needed.")
    means = _centred(class_means(features, labels), largest_norm(features.detach().to(torch.float64)))
    found = {
        "nc1_within_between_pinv_trace": within_between_pinv_trace(features, labels),
        "nc1_within_between_trace_ratio": within_between_trace_ratio(features, labels),
        "nc2_norm_variation_class_means": norm_variation(means),
        "nc2_etf_cosine_deviation_class_means": etf_cosine_deviation(means),
        "nc4_ncc_accuracy": ncc_accuracy(features, labels),
    }
    if weight is not None:
        rows = vectors_in_float64("weight", weight)
        rows = _centred(rows, largest_norm(rows))
        found |= {
            "nc2_norm_variation_weights": norm_variation(rows),
            "nc2_etf_cosine_deviation_weights": etf_cosine_deviation(rows),
            "nc3_self_duality_distance": self_duality_distance(weight, features, labels).mean(dim=-1),
            "nc3_min_self_duality_cosine": self_duality_cosine(weight, features, labels, centred=True).amin(dim=-1),
            "nc4_ncc_agreement": ncc_agreement(weight, features, labels, bias=bias),
        }
    return dict(sorted(found.items()))


def _centred(vectors: Tensor, scale: Tensor) -> Tensor:
    """Less their mean; NaN where nothing but rounding, relative to ``scale``, is left of them."""
    centred = vectors - vectors.mean(dim=-2, keepdim=True)
    return torch.where((largest_norm(centred) > ROUNDING * scale)[..., None, None], centred, torch.nan)

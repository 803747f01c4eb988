"""Every metric of features as a function of features and labels, by what leaves it as it is."""

import pytest
import torch

from nc_runner.metrics import (
    balancedness,
    class_mean_condition_number,
    class_means,
    etf_cosine_deviation,
    inter_class_cosine,
    intra_class_cosine,
    kkt_residual,
    margin_ratio,
    margins,
    nc,
    ncc_accuracy,
    ncc_agreement,
    negativity,
    norm_variation,
    numerical_rank,
    rank_tcv_bound,
    relative_rank_distance,
    self_duality_cosine,
    self_duality_distance,
    total_cluster_variation,
    within_between_pinv_trace,
    within_between_trace_ratio,
    within_class_variation,
)

WIDTH, CLASSES = 6, 3
LABELS = torch.arange(24) % CLASSES
DRAW = torch.Generator().manual_seed(11)
WEIGHT = torch.randn(CLASSES, WIDTH, generator=DRAW, dtype=torch.float64)
ROTATION = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=DRAW, dtype=torch.float64)).Q
BATCH = torch.randn(4, 24, WIDTH, generator=DRAW, dtype=torch.float64) + 0.7 * WEIGHT[LABELS] + 0.5


def separated_kkt_residual(features, labels):
    """Of the same data with a tenth of the deviations, which the class means classify without a mistake."""
    means = class_means(features, labels)
    samples = means.index_select(-2, labels)
    return kkt_residual(samples + 0.1 * (features - samples), labels, means - means.mean(-2, keepdim=True))


METRICS = {
    "intra_class_cosine-thesis": lambda h, y: intra_class_cosine(h, y, centred=False, self_pairs=True),
    "intra_class_cosine-code": lambda h, y: intra_class_cosine(h, y, centred=True, self_pairs=False),
    "inter_class_cosine-thesis": lambda h, y: inter_class_cosine(h, y, centred=False),
    "inter_class_cosine-code": lambda h, y: inter_class_cosine(h, y, centred=True),
    "ncc_accuracy": ncc_accuracy,
    "self_duality_cosine": lambda h, y: self_duality_cosine(h, y, class_means(h, y).roll(1, -2), centred=False),
    "self_duality_cosine-centred": lambda h, y: self_duality_cosine(h, y, class_means(h, y).roll(1, -2), centred=True),
    "within_between_trace_ratio": within_between_trace_ratio,
    "within_between_pinv_trace": within_between_pinv_trace,
    "self_duality_distance": lambda h, y: self_duality_distance(h, y, class_means(h, y).roll(1, -2)),
    "within_class_variation": within_class_variation,
    "kkt_residual": separated_kkt_residual,
    "class_mean_condition_number": lambda h, y: class_mean_condition_number(h, y, centred=False),
    "class_mean_condition_number-centred": lambda h, y: class_mean_condition_number(h, y, centred=True),
}
METRICS["ncc_agreement"] = lambda h, y: ncc_agreement(h, y, class_means(h, y).roll(1, -2), bias=None)
METRICS |= {
    f"nc-{name}": lambda h, y, name=name: nc(h, y, class_means(h, y).roll(1, -2))[name]
    for name in nc(BATCH, LABELS, WEIGHT)
}
OF_VECTORS = {
    "etf_cosine_deviation": lambda h, y: etf_cosine_deviation(class_means(h, y), centred=False),
    "norm_variation": lambda h, y: norm_variation(class_means(h, y), centred=False),
}
BALANCED = {"margin_ratio": lambda h, y: margin_ratio(h, y, class_means(h, y).roll(1, -2))}
OTHERS = {
    "class_means": class_means,
    "margins": lambda h, y: margins(h, y, class_means(h, y)).sort().values,
    "total_cluster_variation-mean": lambda h, y: total_cluster_variation(h, y, reduction="mean"),
    "total_cluster_variation-sum": lambda h, y: total_cluster_variation(h, y, reduction="sum"),
}
# Of a matrix, of which features are one, or of several sets of features, which may be one and the same.
OF_MATRICES = {
    "relative_rank_distance": lambda h, y: relative_rank_distance(h, 2),
    "numerical_rank": lambda h, y: numerical_rank(h, relative_tolerance=0.3),
    "balancedness": lambda h, y: balancedness(h, class_means(h, y).mT),
}
OF_SIGNS = {"negativity": lambda h, y: negativity(h)}
RANK_BOUND = {"rank_tcv_bound": lambda h, y: rank_tcv_bound(h, h, y, ROTATION, 0.1)}


def each(metrics):
    return pytest.mark.parametrize("metric", metrics.values(), ids=metrics)


every_metric = each(METRICS | OF_VECTORS)
every_invariant = each(METRICS | OF_VECTORS | BALANCED | OF_MATRICES)
every_function_of_samples = each(METRICS | OF_VECTORS | BALANCED | OTHERS)
every_ratio = each(METRICS | OF_VECTORS | BALANCED | OF_MATRICES | OF_SIGNS)
every_function = each(METRICS | OF_VECTORS | BALANCED | OTHERS | OF_MATRICES | OF_SIGNS | RANK_BOUND)


def assert_same(actual, expected, rtol=1e-9):
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=1e-12, equal_nan=True)

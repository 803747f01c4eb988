"""Where a metric is undefined it is NaN, never collapse; and where it is not, its neighbours stay as they are."""

import pytest
import torch
from metrics.every_metric import (
    BALANCED,
    BATCH,
    LABELS,
    METRICS,
    OF_VECTORS,
    OTHERS,
    ROTATION,
    WEIGHT,
    WIDTH,
    assert_same,
    each,
    every_function,
)

from nc_runner.metrics import (
    class_mean_condition_number,
    class_means,
    inter_class_cosine,
    intra_class_cosine,
    kkt_residual,
    margin_ratio,
    margins,
    ncc_accuracy,
    self_duality_cosine,
    self_duality_distance,
    within_between_pinv_trace,
)


@every_function
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_non_finite_feature_spoils_its_own_batch_entry_only(metric, value):
    spoilt = BATCH.clone()
    spoilt[2, 5, 1] = value
    measured = metric(spoilt, LABELS)
    assert measured[2].isnan().all()
    others = [0, 1, 3]
    assert_same(measured[others], metric(BATCH, LABELS)[others])


@each(METRICS)
@pytest.mark.parametrize("value", [0.0, 0.1, -3.7e5])
def test_equal_features_are_undefined_not_collapsed(metric, value):
    equal = BATCH.clone()
    equal[1] = value * torch.linspace(0.3, 1, WIDTH)
    assert metric(equal, LABELS)[1].isnan().all()
    assert_same(metric(equal, LABELS)[[0, 2, 3]], metric(BATCH, LABELS)[[0, 2, 3]])


def test_a_margin_needs_no_sample_of_other_classes():
    some = LABELS != 1
    assert_same(margins(BATCH[:, some], LABELS[some], WEIGHT), margins(BATCH, LABELS, WEIGHT)[:, some])


@pytest.mark.parametrize(
    "name",
    [
        "inter_class_cosine-thesis",
        "inter_class_cosine-code",
        "ncc_accuracy",
        "within_between_trace_ratio",
        "within_between_pinv_trace",
        "within_class_variation",
        "self_duality_distance",
        "kkt_residual",
        "class_mean_condition_number",
        "class_mean_condition_number-centred",
        "etf_cosine_deviation",
        "norm_variation",
        "margin_ratio",
        "margins",
    ],
)
def test_a_single_class_has_no_pair_of_classes(name):
    assert (METRICS | OF_VECTORS | BALANCED | OTHERS)[name](BATCH, torch.zeros_like(LABELS)).isnan().all()


@pytest.mark.parametrize(
    "name",
    [
        "ncc_accuracy",
        "within_between_trace_ratio",
        "within_between_pinv_trace",
        "within_class_variation",
        "class_mean_condition_number",
        "class_mean_condition_number-centred",
    ],
)
def test_class_means_that_all_coincide_are_undefined(name):
    deviations = BATCH[0, :4] - BATCH[0, :4].mean(dim=0)
    features, labels = deviations.repeat(3, 1) + 0.3, torch.arange(3).repeat_interleave(4)
    assert METRICS[name](features, labels).isnan()


def test_two_class_means_that_coincide():
    """Classes 0 and 1 are one point: not told apart, and of a deficient rank that no pseudo-inverse should hide."""
    features, labels = torch.tensor([[1.1, 0.3], [1.1, 0.3], [-2.7, 0.9]]).repeat(4, 1), torch.arange(3).repeat(4)
    assert float(ncc_accuracy(features, labels)) == pytest.approx(1 / 3)
    assert within_between_pinv_trace(features, labels).isnan()
    for centred in (False, True):
        assert class_mean_condition_number(features.repeat(1, 2), labels, centred=centred).isnan()


def test_class_means_on_a_line_leave_the_pseudo_inverse_undefined():
    line = torch.tensor([[0.1, 0.2, 0.3], [0.2, 0.4, 0.6], [0.5, 1.0, 1.5]], dtype=torch.float64)
    features = line.repeat_interleave(2, 0) + torch.tensor([0.1, -0.1], dtype=torch.float64).repeat(3)[:, None]
    assert within_between_pinv_trace(features, torch.arange(3).repeat_interleave(2)).isnan()


@pytest.mark.parametrize("centred", [False, True])
def test_a_feature_of_zero_norm_spoils_its_class_only(centred):
    features = BATCH.clone()
    features[0, 4] = 0
    if centred:
        features[0] -= features[0].mean(dim=0)
        features[0, 4] = 0
        features[0, 7] -= features[0].sum(dim=0)
    intra = intra_class_cosine(features, LABELS, centred=centred, self_pairs=True)
    inter = inter_class_cosine(features, LABELS, centred=centred)
    assert intra.isnan().tolist() == [[False, True, False]] + 3 * [[False] * 3]
    assert inter[0, 0, 2].isfinite()
    assert inter[0, 1].isnan().all()
    assert inter[0, :, 1].isnan().all()


def test_a_class_of_one_sample_has_no_pair_of_samples():
    labels = torch.cat([torch.zeros(23, dtype=torch.int64), torch.tensor([1])])
    assert intra_class_cosine(BATCH, labels, centred=False, self_pairs=False).isnan().tolist() == 4 * [[False, True]]
    assert intra_class_cosine(BATCH, labels, centred=False, self_pairs=True)[:, 1].tolist() == pytest.approx([1] * 4)


def test_self_duality_undefined_row_by_row():
    features = torch.cat([BATCH[0], -BATCH[0, 1::3]])
    labels = torch.cat([LABELS, torch.ones(8, dtype=torch.int64)])
    assert self_duality_cosine(features, labels, WEIGHT, centred=False).isnan().tolist() == [False, True, False]
    weight = WEIGHT.clone()
    weight[0] = 0
    assert self_duality_cosine(BATCH[0], LABELS, weight, centred=False).isnan().tolist() == [True, False, False]
    equal_rows = torch.full((3, WIDTH), 0.1, dtype=torch.float64)  # their mean rounds to another number
    assert self_duality_cosine(BATCH, LABELS, equal_rows, centred=True).isnan().all()
    weights = WEIGHT.repeat(4, 1, 1)
    weights[3, 1, 1] = torch.inf
    spoilt = self_duality_cosine(BATCH, LABELS, weights, centred=True)
    assert_same(spoilt[:3], self_duality_cosine(BATCH[:3], LABELS, WEIGHT, centred=True))
    assert spoilt[3].isnan().all()


def test_self_duality_distance_undefined_row_by_row():
    weight, features = WEIGHT.clone(), BATCH[0].clone()
    weight[0] = WEIGHT[1:].mean(dim=0)  # so that it is the mean of all three rows
    assert self_duality_distance(features, LABELS, weight).isnan().tolist() == [True, False, False]
    means = class_means(features, LABELS)
    features[LABELS == 1] += means[[0, 2]].mean(dim=0) - means[1]
    assert self_duality_distance(features, LABELS, WEIGHT).isnan().tolist() == [False, True, False]
    equal_rows = torch.full((3, WIDTH), 0.1, dtype=torch.float64)  # their mean rounds to another number
    assert self_duality_distance(BATCH, LABELS, equal_rows).isnan().all()


@pytest.mark.parametrize("metric", [margins, margin_ratio, self_duality_distance, kkt_residual])
def test_weights_and_features_broadcast_and_a_non_finite_weight_spoils_its_own_entries_only(metric):
    weights, features = torch.stack([WEIGHT, ROTATION[:3], -WEIGHT]), 0.02 * BATCH + WEIGHT[LABELS]
    weights[2, 1, 1] = torch.inf
    measured = metric(features, LABELS, weights[:, None])
    for i in range(2):
        assert_same(measured[i], torch.stack([metric(entry, LABELS, weights[i]) for entry in features]))
    assert measured[0].isfinite().all()
    assert measured[2].isnan().all()

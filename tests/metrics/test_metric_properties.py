"""What every metric of features has in common: invariances, batches, precision, and NaN where it is undefined."""

from functools import partial

import pytest
import torch

from nc_runner.metrics import (
    balancedness,
    class_mean_condition_number,
    class_means,
    effective_depth,
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


@every_function
def test_order_of_samples_does_not_matter(metric):
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    assert_same(metric(BATCH[:, order], LABELS[order]), metric(BATCH, LABELS))


@every_invariant
def test_rotation_does_not_matter(metric):
    assert_same(metric(BATCH @ ROTATION, LABELS), metric(BATCH, LABELS))


@every_ratio
@pytest.mark.parametrize("scale", [1e-20, 3.0, 1e20])
def test_positive_scale_does_not_matter(metric, scale):
    assert_same(metric(scale * BATCH, LABELS), metric(BATCH, LABELS))


@every_function
def test_a_batch_is_its_entries_one_by_one(metric):
    batched = metric(BATCH, LABELS)
    assert_same(batched, torch.stack([metric(entry, LABELS) for entry in BATCH]))
    assert_same(metric(BATCH.reshape(2, 2, 24, WIDTH), LABELS), batched.reshape(2, 2, *batched.shape[1:]))


@every_function
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_narrow_features_are_computed_in_float64(metric, dtype):
    narrow = BATCH.to(dtype)
    measured = metric(narrow, LABELS)
    assert measured.dtype == torch.float64
    assert torch.equal(measured.nan_to_num(-9), metric(narrow.double(), LABELS).nan_to_num(-9))


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


@every_metric
@pytest.mark.parametrize(
    ("labels", "words"), [(LABELS + 1, "up to 3 and never is 0"), (3 * LABELS, "up to 6 and never is 1")]
)
def test_labels_from_1_or_with_gaps_are_refused(metric, labels, words):
    with pytest.raises(ValueError, match=rf"labels goes {words}; .* renumber them: labels\.unique"):
        metric(BATCH, labels)
    assert_same(metric(BATCH, labels.unique(return_inverse=True)[1]), metric(BATCH, LABELS))


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


@every_function_of_samples
@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (BATCH.long(), LABELS, r"features has dtype torch\.int64; it must be"),
        (BATCH[0, 0], LABELS, r"features has shape \(6,\); its last two axes"),
        (BATCH[:, :0], LABELS[:0], r"features has shape \(4, 0, 6\); its last two axes"),
        (BATCH, LABELS.bool(), r"labels has dtype torch\.bool; it must be of an integer dtype: labels\.long\(\) is"),
        (BATCH, torch.eye(3)[LABELS], r"labels has shape \(24, 3\) and a single 1 a row; .* labels\.argmax\(dim=-1\)"),
        (BATCH, LABELS.expand(4, -1), r"labels has shape \(4, 24\); .*: features\.flatten\(0, -2\) and labels\.flat"),
        (BATCH, LABELS[1:], r"labels has shape \(23,\); it must have shape \(24,\)"),
        (BATCH, LABELS[None], r"labels has shape \(1, 24\); it must have shape \(24,\)"),
        (BATCH, LABELS - 1, r"labels contains -1; its values must be 0 or more"),
    ],
    ids=["integer", "vector", "empty", "boolean", "one-hot", "tokens", "length", "axes", "negative"],
)
def test_bad_arguments_are_named(metric, features, labels, message):
    with pytest.raises(ValueError, match=message):
        metric(features, labels)


@pytest.mark.parametrize(
    "metric",
    [partial(self_duality_cosine, centred=False), self_duality_distance, margins, margin_ratio, kkt_residual],
)
def test_a_weight_that_does_not_fit_is_named(metric):
    with pytest.raises(ValueError, match=r"weight has dtype torch\.int64"):
        metric(BATCH, LABELS, WEIGHT.long())
    with pytest.raises(ValueError, match=r"weight has rows of length 5; .* 6\."):
        metric(BATCH, LABELS, WEIGHT[:, :5])
    with pytest.raises(ValueError, match=r"features, labels, weight in this order\?"):
        metric(WEIGHT, BATCH, LABELS)
    with pytest.raises(ValueError, match=r"labels contains 2; weight has 2 rows"):
        metric(BATCH, LABELS, WEIGHT[:2])


@pytest.mark.parametrize(
    "metric",
    [
        partial(self_duality_cosine, centred=False), self_duality_distance, kkt_residual,
        partial(ncc_agreement, bias=None), nc,
    ],
)  # fmt: skip
def test_a_class_without_samples_is_refused_be_it_the_first_one_in_the_middle_or_the_last(metric):
    """Of the last one only the weight tells."""
    for missing in range(3):
        some = missing != LABELS
        with pytest.raises(ValueError, match=rf"never is {missing}"):
            metric(BATCH[:, some], LABELS[some], WEIGHT)


def test_bad_arguments_of_one_metric_are_named():
    with pytest.raises(ValueError, match=r"labels has classes of \[8, 8, 7, 1\] samples; they must all"):
        margin_ratio(BATCH, torch.cat([LABELS[:-1], torch.tensor([3])]), torch.cat([WEIGHT, WEIGHT[:1]]))
    with pytest.raises(ValueError, match=r"labels has classes of \[8, 8, 8, 0\] samples; they must all"):
        margin_ratio(BATCH, LABELS, torch.cat([WEIGHT, WEIGHT[:1]]))
    with pytest.raises(ValueError, match=r"vectors has dtype torch\.int64"):
        etf_cosine_deviation(torch.ones(3, 3, dtype=torch.int64), centred=False)
    with pytest.raises(ValueError, match=r"vectors has shape \(3,\)"):
        norm_variation(torch.ones(3), centred=False)
    with pytest.raises(ValueError, match=r"eps is 1\.5; it must be between 0 and 1"):
        effective_depth(torch.ones(2), 1.5)
    with pytest.raises(ValueError, match=r"ncc_accuracy_by_layer has shape \(0,\)"):
        effective_depth(torch.ones(0), 0.1)
    with pytest.raises(ValueError, match=r"ncc_accuracy_by_layer has dtype torch\.int64"):
        effective_depth(torch.ones(3, dtype=torch.int64), 0.1)

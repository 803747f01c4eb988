"""Arguments that a metric cannot take are named."""

from functools import partial

import pytest
import torch
from metrics.every_metric import BATCH, LABELS, WEIGHT, assert_same, every_function_of_samples, every_metric

from nc_runner.metrics import (
    effective_depth,
    etf_cosine_deviation,
    kkt_residual,
    margin_ratio,
    margins,
    nc,
    ncc_agreement,
    norm_variation,
    self_duality_cosine,
    self_duality_distance,
)


@every_metric
@pytest.mark.parametrize(
    ("labels", "words"), [(LABELS + 1, "up to 3 and never is 0"), (3 * LABELS, "up to 6 and never is 1")]
)
def test_labels_from_1_or_with_gaps_are_refused(metric, labels, words):
    with pytest.raises(ValueError, match=rf"labels goes {words}; .* renumber them: labels\.unique"):
        metric(BATCH, labels)
    assert_same(metric(BATCH, labels.unique(return_inverse=True)[1]), metric(BATCH, LABELS))


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

"""What needs the means first, against whole tensors: on the same data, in parts, and on others."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nc_runner import metrics
from nc_runner.measure import Accumulator, SecondPass

CLASSES, WIDTH, SAMPLES = 4, 6, 80
DRAW = torch.Generator().manual_seed(3)
LABELS = torch.arange(SAMPLES) % CLASSES
FEATURES = torch.randn(SAMPLES, WIDTH, generator=DRAW) + torch.randn(CLASSES, WIDTH, generator=DRAW)[LABELS] + 1
WEIGHT = torch.randn(CLASSES, WIDTH, generator=DRAW)
BIAS = 2 * torch.randn(CLASSES, generator=DRAW)


def first(features: Tensor = FEATURES, labels: Tensor = LABELS, **asked: object) -> Accumulator:
    seen = Accumulator(**asked)  # type: ignore[arg-type]
    seen.update(features, labels)
    return seen


def test_two_passes_have_the_values_of_whole_tensors_merged_or_not() -> None:
    parts = [SecondPass(first(covariance=True), weight=WEIGHT, bias=BIAS) for _ in range(2)]
    for i, some in enumerate(torch.arange(SAMPLES).split(13)):
        parts[i % 2].update(FEATURES[some], LABELS[some])
    parts[0].merge(parts[1])
    margins = metrics.margins(FEATURES, LABELS, WEIGHT)
    expected = {
        "linear_probe_accuracy": metrics.linear_probe_accuracy(FEATURES, LABELS),
        "mean_margin": margins.mean(),
        "min_margin": margins.amin(),
        "ncc_accuracy": metrics.ncc_accuracy(FEATURES, LABELS),
        "ncc_agreement": metrics.ncc_agreement(FEATURES, LABELS, WEIGHT, bias=BIAS),
        "within_between_pinv_trace": metrics.within_between_pinv_trace(FEATURES, LABELS),
        "within_class_variation": metrics.within_class_variation(FEATURES, LABELS),
    }
    found = parts[0].compute()
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=0, msg=name)
    assert 0.2 < float(found["ncc_accuracy"]) < 1
    assert 0.2 < float(found["ncc_agreement"]) < 1


def test_autocast_changes_no_value() -> None:
    """Around whole trainings; its bfloat16 is no float32, by whose rounding the nearest mean is told."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(2000) % 20
    features = 0.35 * torch.randn(20, 32, generator=draw)[labels] + torch.randn(2000, 32, generator=draw)
    weight = torch.randn(20, 32, generator=draw)

    def found() -> dict[str, Tensor]:
        second = SecondPass(first(features, labels, covariance=True), weight=weight)
        second.update(features, labels)
        return second.compute() | {"whole": metrics.ncc_accuracy(features, labels)}

    expected = found()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = found()
    assert {name: float(value) for name, value in values.items()} == {k: float(v) for k, v in expected.items()}


def test_other_data_are_measured_by_the_first_means() -> None:
    others = FEATURES.roll(1, 0) + 0.3
    second = SecondPass(first())
    second.update(others[:70], LABELS[:70])
    expected = metrics.ncc_accuracy_by_means(others[:70], LABELS[:70], metrics.class_means(FEATURES, LABELS))
    assert torch.equal(second.compute()["ncc_accuracy"], expected)
    assert list(second.compute()) == ["ncc_accuracy", "within_between_pinv_trace", "within_class_variation"]


def test_classes_that_the_first_pass_left_out_are_left_out() -> None:
    labels = LABELS.clone()
    labels[:2], labels[2:4] = 9, -100
    second = SecondPass(first(labels=labels, min_count=3, ignore_index=-100))
    second.update(FEATURES, labels)
    expected = metrics.ncc_accuracy(FEATURES[4:], labels[4:])
    assert torch.equal(second.compute()["ncc_accuracy"], expected)


def test_equal_features_and_a_single_class_are_undefined() -> None:
    same = torch.full((SAMPLES, WIDTH), 0.1)
    second = SecondPass(first(same), weight=WEIGHT)
    second.update(same, LABELS)
    found = second.compute()
    assert all(found[name].isnan() for name in found if not name.endswith("margin"))
    single = SecondPass(first(labels=0 * LABELS), weight=WEIGHT[:1])
    single.update(FEATURES, 0 * LABELS)
    assert all(value.isnan() for value in single.compute().values())


def test_mistakes_are_named() -> None:
    second = SecondPass(first())
    with pytest.raises(ValueError, match="there is no sample yet"):
        second.compute()
    with pytest.raises(ValueError, match=r"labels contains 4, of which the first pass had no sample"):
        second.update(FEATURES, LABELS + 4)
    with pytest.raises(ValueError, match="features has 5 numbers a sample; it must have 6"):
        second.update(FEATURES[:, :5], LABELS)
    with pytest.raises(ValueError, match="1 of 80 samples with NaN"):
        second.update(FEATURES.index_fill(0, torch.tensor([3]), torch.nan), LABELS)
    with pytest.raises(ValueError, match="bias is given without weight"):
        SecondPass(first(), bias=BIAS)
    with pytest.raises(ValueError, match=r"bias has shape \(3,\); it must have shape \(4,\)"):
        SecondPass(first(), weight=WEIGHT, bias=BIAS[:3])
    with pytest.raises(ValueError, match="there is no sample yet"):
        SecondPass(Accumulator())

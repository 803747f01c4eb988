"""What a person hands over by mistake: taken as it is meant, or refused in one sentence that says what to do."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch

from nc_runner import metrics
from nc_runner.measure import Accumulator
from nc_runner.measure._samples import as_tensor

LABELS = torch.arange(24) % 3
FEATURES = torch.randn(24, 5, generator=torch.Generator().manual_seed(0))
RATIO = "within_between_trace_ratio"


def ratio(features: object, labels: object, **asked: object) -> float:
    found = Accumulator(**asked)  # type: ignore[arg-type]
    found.update(features, labels)  # type: ignore[arg-type]
    return float(found.compute()[RATIO])


def test_labels_from_1_arrays_lists_parameters_and_narrow_integers_are_taken() -> None:
    expected = float(metrics.within_between_trace_ratio(FEATURES, LABELS))
    read_only = FEATURES.numpy().copy()
    read_only.flags.writeable = False
    assert ratio(FEATURES.tolist(), LABELS.tolist()) == pytest.approx(expected, rel=1e-12)
    for features in (torch.nn.Parameter(FEATURES), FEATURES.numpy(), read_only):
        for labels in (LABELS + 1, LABELS.int(), LABELS.to(torch.uint8), LABELS.numpy().astype(np.uint16)):
            assert ratio(features, labels) == pytest.approx(expected, rel=1e-12)


def test_a_read_only_array_is_let_go_with_its_tensor() -> None:
    """At once, not when the garbage collector comes by: batches of a file are such arrays."""
    array = FEATURES.numpy().copy()
    array.flags.writeable = False
    held = weakref.ref(array)
    tensor = as_tensor("features", array)
    assert torch.equal(tensor, FEATURES)
    del array
    assert held() is not None
    del tensor
    assert held() is None


@pytest.mark.parametrize(
    ("features", "labels", "sentence"),
    [
        (FEATURES, torch.eye(3)[LABELS], r"labels has shape \(24, 3\) and a single 1 a row; .* labels\.argmax"),
        (FEATURES, LABELS[1:], r"labels has shape \(23,\); it must have shape \(24,\), one label for each feature"),
        (FEATURES, LABELS.float(), r"labels has dtype torch\.float32; it must be of an integer dtype"),
        (FEATURES.long(), LABELS, r"features has dtype torch\.int64; .*: features\.float\(\) is"),
        (LABELS, FEATURES, r"features has shape \(24,\); it must be \[N, D\], or \[B, T, D\]"),
        (LABELS[:, None], FEATURES, r"features has dtype torch\.int64; .*: are features and labels in this order\?"),
        (FEATURES[:, :0], LABELS, r"features has shape \(24, 0\); its last two axes must exist and be non-empty"),
        (FEATURES, LABELS - 1, r"labels contains -1 \(8 times\); .* ignore_index=-1 leaves its samples out"),
        ("abc", LABELS, r"features is a str that no tensor can be made of"),
        ([[1.0], [1.0, 2.0]], LABELS[:2], r"features is a list that no tensor can be made of"),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_named(features: object, labels: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Accumulator().update(features, labels)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_is_counted_and_nothing_of_it_is_taken_in(dtype: torch.dtype, value: float) -> None:
    found = Accumulator(directions=True, covariance=True)
    found.update(FEATURES.to(dtype), LABELS)
    expected = found.state()
    spoilt = FEATURES.to(dtype).clone()
    spoilt[5:7, 2] = value
    with pytest.raises(ValueError, match=r"features has 2 of 24 samples with NaN or inf, the first of them sample 5"):
        found.update(spoilt, LABELS + 7)
    assert found.classes.tolist() == [0, 1, 2]
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.state().items())
    huge = torch.full((4, 5), 3e38) if dtype == torch.float32 else torch.full((4, 5), 6e4, dtype=dtype)
    found.update(huge, LABELS[:4])  # finite, though their sum is not


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_named_class_without_samples_is_named_be_it_the_first_or_the_last(missing: int) -> None:
    some = missing != LABELS
    found = Accumulator(classes=[0, 1, 2])
    found.update(FEATURES[some], LABELS[some])
    with pytest.raises(ValueError, match=rf"1 of the 3 classes named by classes= have no sample \({missing}\)"):
        found.compute()
    left = Accumulator(classes=[0, 1, 2], min_count=1)
    left.update(FEATURES[some], LABELS[some])
    assert left.left_out == {missing: 0}
    expected = metrics.within_between_trace_ratio(FEATURES[some], LABELS[some].unique(return_inverse=True)[1])
    assert float(left.compute()[RATIO]) == pytest.approx(float(expected), rel=1e-12)


def test_other_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"labels contains 2 \(8 times\), which is not among the 2 classes named"):
        ratio(FEATURES, LABELS, classes=[0, 1])
    assert ratio(FEATURES, LABELS - 5, classes=[-5, -4, -3]) == pytest.approx(ratio(FEATURES, LABELS), rel=1e-12)
    with pytest.raises(ValueError, match="classes names a label twice"):
        Accumulator(classes=[0, 0])
    with pytest.raises(ValueError, match="ignore_index is 1, which classes names"):
        Accumulator(classes=[0, 1], ignore_index=1)
    with pytest.raises(ValueError, match="min_count is 0; it must be at least 1"):
        Accumulator(min_count=0)
    with pytest.raises(ValueError, match="min_count is 3; with covariance=True it must be at most 2"):
        Accumulator(min_count=3, covariance=True)
    with pytest.raises(ValueError, match="min_count is 9; no class has as many"):
        ratio(FEATURES, LABELS, min_count=9)
    with pytest.raises(ValueError, match="there is no sample yet"):
        Accumulator().compute()
    found = Accumulator()
    found.update(FEATURES, LABELS)
    with pytest.raises(ValueError, match="features has 4 numbers a sample; it must have 5"):
        found.update(FEATURES[:, :4], LABELS)
    with pytest.raises(ValueError, match="directions is False here and True there"):
        found.merge(Accumulator(directions=True))
    with pytest.raises(ValueError, match="weight has rows of length 4"):
        found.compute(torch.ones(3, 4))
    with pytest.raises(ValueError, match="weight has a row; each of its 4 classes must have a sample"):
        found.compute(torch.ones(4, 5))

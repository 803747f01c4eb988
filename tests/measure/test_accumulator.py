"""One pass over batches against whole tensors and loops: any order, any split, any tree of merges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from nc_runner import metrics
from nc_runner.measure import Accumulator

CLASSES, WIDTH, SAMPLES = 4, 6, 60
DRAW = torch.Generator().manual_seed(3)
LABELS = torch.arange(SAMPLES) % CLASSES
FEATURES = torch.randn(SAMPLES, WIDTH, generator=DRAW) + 2 * torch.randn(CLASSES, WIDTH, generator=DRAW)[LABELS] + 1
WEIGHT = torch.randn(CLASSES, WIDTH, generator=DRAW)
ALL = {"directions": True, "covariance": True}
COVARIANCE = ("linear_decodability", "variability_collapse_index", "within_between_pinv_trace")

every_draw = settings(max_examples=60, derandomize=True, deadline=None, database=None)


def seen(features: Tensor = FEATURES, labels: Tensor = LABELS, batch: int = 7, **asked: object) -> Accumulator:
    """What has taken in these samples in batches."""
    accumulator = Accumulator(**asked)  # type: ignore[arg-type]
    for some in torch.arange(len(labels)).split(batch):
        accumulator.update(features[some], labels[some])
    return accumulator


def whole(features: Tensor, labels: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """The same measures of whole tensors by the public functions."""
    means = metrics.class_means(features, labels)
    intra = metrics.intra_class_cosine(features, labels, centred=False, self_pairs=True)
    inter = metrics.inter_class_cosine(features, labels, centred=False)
    inter = inter[~torch.eye(len(inter), dtype=torch.bool)]
    cosine = metrics.self_duality_cosine(features, labels, weight, centred=True)
    return {
        "class_distance_normalized_variance": metrics.class_distance_normalized_variance(features, labels),
        "class_mean_condition_number_centred": metrics.class_mean_condition_number(features, labels, centred=True),
        "class_mean_condition_number_uncentred": metrics.class_mean_condition_number(features, labels, centred=False),
        "effective_rank_class_means": metrics.effective_rank(means - means.mean(0)),
        "etf_cosine_deviation_class_means": metrics.etf_cosine_deviation(means, centred=True),
        "etf_cosine_deviation_weights": metrics.etf_cosine_deviation(weight, centred=True),
        "max_inter_class_cosine_uncentred": inter.amax(),
        "mean_inter_class_cosine_uncentred": inter.mean(),
        "mean_intra_class_cosine_uncentred": intra.mean(),
        "min_intra_class_cosine_uncentred": intra.amin(),
        **{
            f"hyperspherical_{what}_{kernel}_class_means": of(means, kernel=kernel, centred=True)
            for kernel in ("log", "distance")
            for what, of in (("energy", metrics.hyperspherical_energy), ("variance", metrics.hyperspherical_variance))
        },
        "linear_decodability": metrics.linear_decodability(features, labels),
        "mean_norm": torch.linalg.vector_norm(features.double(), dim=1).mean(),
        "mean_self_duality_cosine_centred": cosine.mean(),
        "min_self_duality_cosine_centred": cosine.amin(),
        "norm_variation_class_means": metrics.norm_variation(means, centred=True),
        "norm_variation_weights": metrics.norm_variation(weight, centred=True),
        "self_duality_distance": metrics.self_duality_distance(features, labels, weight).mean(),
        "self_duality_frobenius": metrics.self_duality_frobenius(features, labels, weight),
        "simplex_etf_distance_class_means": metrics.simplex_etf_distance(means, centred=True),
        "simplex_etf_distance_weights": metrics.simplex_etf_distance(weight, centred=False),
        "simplex_etf_duality_distance": metrics.simplex_etf_duality_distance(features, labels, weight),
        "total_cluster_variation_mean": metrics.total_cluster_variation(features, labels, reduction="mean"),
        "total_cluster_variation_sum": metrics.total_cluster_variation(features, labels, reduction="sum"),
        "uniform_duality_variance": metrics.uniform_duality_variance(features, labels, weight),
        "variability_collapse_index": metrics.variability_collapse_index(features, labels),
        "within_between_pinv_trace": metrics.within_between_pinv_trace(features, labels),
        "within_between_trace_ratio": metrics.within_between_trace_ratio(features, labels),
        "within_between_trace_ratio_class_balanced": metrics.within_between_trace_ratio_class_balanced(
            features, labels
        ),
    }


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], rtol: float = 1e-11) -> None:
    assert list(found) == sorted(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=rtol, atol=1e-14, equal_nan=True, msg=name)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 7, 60])
def test_one_pass_has_the_values_of_whole_tensors(dtype: torch.dtype, batch: int) -> None:
    features = FEATURES.to(dtype)
    found = seen(features, batch=batch, **ALL).compute(WEIGHT)
    assert all(value.shape == () and value.dtype == torch.float64 for value in found.values())
    assert_same(found, whole(features, LABELS, WEIGHT))


def test_tiles_of_pairs_and_cut_squares_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of thousands of classes and hundreds of dimensions."""
    monkeypatch.setattr("nc_runner.metrics._pairs.TILE", 3)
    monkeypatch.setattr("nc_runner.metrics._gram.LEAF", 2)
    monkeypatch.setattr("nc_runner.metrics._gram.WAITING", 5 * WIDTH)
    expected = whole(FEATURES, LABELS, WEIGHT)
    assert_same(seen(**ALL).compute(WEIGHT), expected)
    assert set(expected) - set(seen(**ALL).compute(WEIGHT, pairs=False)) == {
        name
        for name in expected
        if any(word in name for word in ("etf", "inter", "hyper", "distance_norm", "effective"))
    }


@every_draw
@given(st.data())
def test_any_order_split_and_tree_of_merges_gives_the_same(data: st.DataObject) -> None:
    order = torch.tensor(data.draw(st.permutations(range(SAMPLES))))
    cuts = sorted(data.draw(st.lists(st.integers(0, SAMPLES), max_size=8)))
    parts = [order[a:b] for a, b in zip([0, *cuts], [*cuts, SAMPLES], strict=True)]
    heap = []
    for part in parts:
        heap.append(Accumulator(**ALL))
        for some in part.split(data.draw(st.integers(1, 20))) if len(part) else ():
            heap[-1].update(FEATURES[some], LABELS[some])
    while len(heap) > 1:
        taken = heap.pop(data.draw(st.integers(0, len(heap) - 1)))
        heap[data.draw(st.integers(0, len(heap) - 1))].merge(taken)
    assert heap[0].classes.tolist() == list(range(CLASSES))
    assert heap[0].count.tolist() == CLASSES * [SAMPLES // CLASSES]
    assert_same(heap[0].compute(WEIGHT), whole(FEATURES, LABELS, WEIGHT))
    expected = within_scatter(FEATURES, LABELS)
    found = heap[0].statistics().within_scatter().triu()
    np.testing.assert_allclose(found, np.triu(expected), rtol=1e-11, atol=1e-11 * np.abs(expected).max())


def within_scatter(features: Tensor, labels: Tensor) -> np.ndarray:
    """Sample by sample in numpy."""
    h, y = features.double().numpy(), labels.numpy()
    total = np.zeros((h.shape[1], h.shape[1]))
    for c in np.unique(y):
        for sample in h[y == c]:
            total += np.outer(sample - h[y == c].mean(0), sample - h[y == c].mean(0))
    return total


@pytest.mark.parametrize("asked", [{}, ALL, {"classes": [3, 1, 0, 2], "ignore_index": -1, "min_count": 2}])
def test_a_saved_state_goes_on_as_if_nothing_had_happened(asked: dict[str, object], tmp_path: Path) -> None:
    first = seen(FEATURES[:31], LABELS[:31], **asked)
    save_file(first.state(), tmp_path / "state.safetensors")
    again = Accumulator.from_state(load_file(tmp_path / "state.safetensors"))
    shared = Accumulator.from_state(first.state())
    shared.update(FEATURES[31:], LABELS[31:])
    expected = first.compute()
    again.update(FEATURES[31:], LABELS[31:])
    assert_same(first.compute(), expected, rtol=0)  # it shares nothing with the other
    first.update(FEATURES[31:], LABELS[31:])
    assert_same(again.compute(WEIGHT), first.compute(WEIGHT), rtol=0)
    assert again.classes.tolist() == first.classes.tolist()
    empty = Accumulator.from_state(Accumulator(**asked).state())  # type: ignore[arg-type]
    empty.merge(first)
    assert_same(empty.compute(), first.compute())


def test_labels_with_gaps_ascend_whatever_their_order() -> None:
    vocabulary = torch.tensor([50_000, 7, 31, 2])
    found = seen(labels=vocabulary[LABELS])
    assert found.classes.tolist() == [2, 7, 31, 50_000]
    order = torch.tensor([3, 1, 2, 0])
    torch.testing.assert_close(found.means, metrics.class_means(FEATURES, LABELS)[order], rtol=1e-12, atol=0)
    squares = (FEATURES.double() - metrics.class_means(FEATURES, LABELS)[LABELS]).square().sum(dim=1)
    expected = torch.stack([squares[c == LABELS].mean() for c in order])
    torch.testing.assert_close(found.variances, expected, rtol=1e-12, atol=0)
    assert_same(found.compute(WEIGHT[order]), seen().compute(WEIGHT))


def test_tokens_of_sequences_are_samples_and_padding_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, labels = FEATURES.view(6, 10, WIDTH), LABELS.view(6, 10).clone()
    plain = Accumulator()
    plain.update(tokens, labels)
    assert_same(plain.compute(), seen().compute())
    padded, spoilt = labels.clone(), tokens.clone()
    padded[:, 7:], spoilt[:, 7:] = -100, torch.nan
    found = Accumulator(ignore_index=-100, **ALL)  # type: ignore[arg-type]
    found.update(spoilt, padded)
    expected = seen(tokens[:, :7].flatten(0, 1), labels[:, :7].flatten(), **ALL)
    assert_same(found.compute(), expected.compute())
    found.update(torch.ones(3, WIDTH), torch.full((3,), -100))
    monkeypatch.setattr("nc_runner.metrics._blocks.CPU_BLOCK", 2 * WIDTH)  # so that some blocks are padding alone
    assert_same(
        seen(spoilt.flatten(0, 1), padded.flatten(), 60, ignore_index=-100, directions=True).compute(),
        {name: value for name, value in expected.compute().items() if name not in COVARIANCE},
    )
    assert_same(found.compute(), expected.compute(), rtol=1e-11)


def test_rare_classes_are_left_out_and_counted() -> None:
    labels = LABELS.clone()
    labels[0] = 9
    found = seen(labels=labels, min_count=2, **ALL)
    kept = labels != 9
    assert found.left_out == {9: 1}
    assert found.classes.tolist() == [0, 1, 2, 3]
    assert_same(found.compute(), seen(FEATURES[kept], labels[kept], **ALL).compute())
    assert seen(labels=labels, min_count=2, classes=[0, 1, 2, 3, 5, 9]).left_out == {5: 0, 9: 1}


def test_nc5_is_of_the_mean_of_all_other_features() -> None:
    other = torch.randn(30, WIDTH, generator=DRAW)
    unknown = seen(other, torch.arange(30) % 7 + 100)
    found = seen().compute(WEIGHT.numpy(), out_of_distribution=unknown)
    expected = metrics.out_of_distribution_cosine(FEATURES, LABELS, other)
    torch.testing.assert_close(found["out_of_distribution_cosine"], expected, rtol=1e-12, atol=0)
    with pytest.raises(ValueError, match="features has 2 numbers a sample; it must have 6"):
        seen().compute(out_of_distribution=seen(other[:, :2], torch.arange(30) % 7))


def test_many_classes_grow_their_room_and_wide_numbers_their_pivots() -> None:
    labels = torch.arange(500) % 250
    features = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    found = Accumulator()
    for some in torch.arange(500).split(60):
        found.update(features[some].to(torch.float64 if some[0] > 100 else torch.float32), labels[some])
    expected = metrics.within_between_trace_ratio(features, labels)
    torch.testing.assert_close(found.compute()["within_between_trace_ratio"], expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dead", [0.0, 0.3])
def test_equal_features_are_undefined_not_collapsed(dead: float) -> None:
    found = seen(torch.full((SAMPLES, WIDTH), dead), directions=True).compute(WEIGHT)
    for name, value in found.items():
        if name != "mean_norm" and not name.endswith("_weights"):
            assert value == 0 if name.startswith("total_cluster") else value.isnan(), name

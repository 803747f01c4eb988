"""What a person hands over by mistake, and what looks like perfect collapse and is none."""

import numpy as np
import pytest
import torch

from nc_runner import metrics

WITHIN = {
    "trace ratio": metrics.within_between_trace_ratio,
    "pseudo-inverse": metrics.within_between_pinv_trace,
    "mean distance": metrics.within_class_variation,
    "nearest centre": metrics.ncc_accuracy,
    "cosine": lambda h, y: metrics.intra_class_cosine(h, y, centred=False, self_pairs=True),
    "cosine of pairs": lambda h, y: metrics.intra_class_cosine(h, y, centred=True, self_pairs=False),
}


@pytest.mark.parametrize("name", WITHIN)
@pytest.mark.parametrize("batch", [(), (3,)])
def test_one_sample_for_each_class_is_no_collapse(name: str, batch: tuple[int, ...]) -> None:
    """Each sample is then the mean of its class, whatever the network does."""
    torch.manual_seed(0)
    alone = WITHIN[name](torch.randn(*batch, 4, 8), torch.arange(4))
    assert alone.isnan().all()
    repeated = WITHIN[name](torch.randn(*batch, 5, 8), torch.tensor([0, 1, 2, 3, 3]))
    assert repeated.isfinite().any()


def test_what_is_no_tensor_is_named_with_how_it_becomes_one() -> None:
    features, labels = np.zeros((4, 3)), np.array([0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"features is a numpy\.ndarray; it must be a torch\.Tensor"):
        metrics.ncc_accuracy(features, torch.from_numpy(labels))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"labels is a list; .*torch\.as_tensor\(labels\)"):
        metrics.ncc_accuracy(torch.zeros(4, 3), labels.tolist())


def test_a_label_that_would_take_all_memory_is_refused() -> None:
    with pytest.raises(ValueError, match=r"labels contains 1000000000, .*unique\(return_inverse=True\)"):
        metrics.class_means(torch.zeros(4, 3), torch.tensor([0, 0, 1, 10**9]))


def test_any_integer_dtype_and_a_parameter_are_taken() -> None:
    torch.manual_seed(0)
    features, labels = torch.nn.Parameter(torch.randn(12, 4)), torch.arange(12) % 3
    expected = metrics.within_between_pinv_trace(features.detach(), labels)
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint32, torch.uint64):
        found = metrics.within_between_pinv_trace(features, labels.to(dtype))
        assert torch.equal(found, expected)
        assert not found.requires_grad


def test_uncentred_means_are_far_from_a_simplex_unless_asked_to_centre() -> None:
    """Positive features of a collapsed network: a simplex ETF about a mean that is none of it."""
    means = torch.eye(4) - 1 / 4 + 5
    assert float(metrics.etf_cosine_deviation(means, centred=False)) > 1.2
    assert float(metrics.etf_cosine_deviation(means, centred=True)) < 1e-6
    assert float(metrics.norm_variation(torch.eye(4) + torch.tensor([5.0, 0, 0, 0]), centred=False)) > 0.05
    assert float(metrics.norm_variation(torch.eye(4) + torch.tensor([5.0, 0, 0, 0]), centred=True)) < 1e-6
    same = torch.full((4, 3), 0.1)
    assert metrics.etf_cosine_deviation(same, centred=True).isnan()
    assert metrics.norm_variation(same, centred=True).isnan()


@pytest.mark.parametrize("batch", [(), (2,)])
def test_a_dead_feature_leaves_the_decision_to_the_others(batch: tuple[int, ...]) -> None:
    """With K - 1 > D as with fewer classes; dead in any direction, not along an axis alone."""
    torch.manual_seed(0)
    labels = torch.arange(60) % 6
    alive = torch.randn(*batch, 60, 3, dtype=torch.float64) + torch.randn(6, 3, dtype=torch.float64)[labels]
    features = torch.cat([alive, torch.full((*batch, 60, 1), 0.3, dtype=torch.float64)], dim=-1)
    turn = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64)).Q
    expected = metrics.within_between_pinv_trace(alive, labels)
    torch.testing.assert_close(metrics.within_between_pinv_trace(features, labels), expected, rtol=1e-9, atol=0)
    torch.testing.assert_close(metrics.within_between_pinv_trace(features @ turn, labels), expected, rtol=1e-9, atol=0)
    features[..., 3] += torch.randn(60, dtype=torch.float64) * 1e-6
    features[..., 3] -= metrics.class_means(features, labels)[..., labels, 3]
    assert metrics.within_between_pinv_trace(features, labels).isnan().all()

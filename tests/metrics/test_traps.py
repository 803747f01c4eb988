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

"""What every metric of features has in common: invariances, batches, precision."""

import pytest
import torch
from metrics.every_metric import (
    BATCH,
    LABELS,
    ROTATION,
    WIDTH,
    assert_same,
    every_function,
    every_invariant,
    every_ratio,
)


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

"""NC1 to NC4 by name: each is its own function's value; the agreement of classifier and nearest mean by a loop."""

import numpy as np
import pytest
import torch

from nc_runner import metrics

CLASSES, WIDTH, SAMPLES = 4, 6, 60
DRAW = torch.Generator().manual_seed(5)
LABELS = torch.arange(SAMPLES) % CLASSES
CENTRES = torch.randn(CLASSES, WIDTH, generator=DRAW, dtype=torch.float64)
FEATURES = CENTRES[LABELS] + 0.8 * torch.randn(3, SAMPLES, WIDTH, generator=DRAW, dtype=torch.float64)
WEIGHT = CENTRES + torch.randn(3, CLASSES, WIDTH, generator=DRAW, dtype=torch.float64)
BIAS = 2 * torch.randn(3, CLASSES, generator=DRAW, dtype=torch.float64)


def agreement_by_loop(weight, features, labels, bias):
    """In numpy, sample by sample."""
    means = [features[labels == k].mean(0) for k in range(labels.max() + 1)]
    same = 0
    for sample in features:
        decided = max(range(len(weight)), key=lambda k: weight[k] @ sample + bias[k])
        nearest = min(range(len(means)), key=lambda k: np.sum((sample - means[k]) ** 2))
        same += decided == nearest
    return same / len(features)


def test_agreement_is_that_of_a_loop_and_the_bias_is_a_part() -> None:
    found = metrics.ncc_agreement(FEATURES, LABELS, WEIGHT, bias=BIAS)
    without = metrics.ncc_agreement(FEATURES, LABELS, WEIGHT, bias=None)
    for i in range(3):
        w, h, b = (of[i].numpy() for of in (WEIGHT, FEATURES, BIAS))
        assert float(found[i]) == agreement_by_loop(w, h, LABELS.numpy(), b)
        assert float(without[i]) == agreement_by_loop(w, h, LABELS.numpy(), 0 * b)
    assert (found != without).any()
    assert ((found > 0.2) & (found < 0.95)).all()
    assert torch.equal(metrics.ncc_agreement(FEATURES[0], LABELS, WEIGHT, bias=BIAS)[0], found[0])  # broadcast


def test_each_name_is_its_own_function() -> None:
    found = metrics.nc(FEATURES, LABELS, WEIGHT, BIAS)
    means = metrics.class_means(FEATURES, LABELS)
    means, rows = (of - of.mean(-2, keepdim=True) for of in (means, WEIGHT))
    expected = {
        "nc1_within_between_pinv_trace": metrics.within_between_pinv_trace(FEATURES, LABELS),
        "nc1_within_between_trace_ratio": metrics.within_between_trace_ratio(FEATURES, LABELS),
        "nc2_etf_cosine_deviation_class_means": metrics.etf_cosine_deviation(means, centred=False),
        "nc2_etf_cosine_deviation_weights": metrics.etf_cosine_deviation(rows, centred=False),
        "nc2_norm_variation_class_means": metrics.norm_variation(means, centred=False),
        "nc2_norm_variation_weights": metrics.norm_variation(rows, centred=False),
        "nc3_min_self_duality_cosine": metrics.self_duality_cosine(FEATURES, LABELS, WEIGHT, centred=True).amin(-1),
        "nc3_self_duality_distance": metrics.self_duality_distance(FEATURES, LABELS, WEIGHT).mean(-1),
        "nc4_ncc_accuracy": metrics.ncc_accuracy(FEATURES, LABELS),
        "nc4_ncc_agreement": metrics.ncc_agreement(FEATURES, LABELS, WEIGHT, bias=BIAS),
    }
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-12, atol=0, msg=name)
    without = [name for name in expected if not name.endswith(("weights", "agreement")) and "duality" not in name]
    assert list(metrics.nc(FEATURES, LABELS)) == without


def test_at_collapse_each_has_its_value_there() -> None:
    etf = torch.eye(CLASSES, dtype=torch.float64) - 1 / CLASSES
    features = 3 * etf[LABELS] + 1.5  # a common shift is no part of collapse
    for name, value in metrics.nc(features, LABELS, 2 * etf, torch.zeros(CLASSES)).items():
        at_collapse = 1.0 if name == "nc3_min_self_duality_cosine" or name.startswith("nc4") else 0.0
        assert float(value) == pytest.approx(at_collapse, abs=1e-12), name


def test_means_or_rows_that_coincide_are_undefined_and_not_collapsed() -> None:
    features = FEATURES - metrics.class_means(FEATURES, LABELS)[:, LABELS] + 0.7
    found = metrics.nc(features, LABELS, WEIGHT)
    assert found["nc2_norm_variation_class_means"].isnan().all()
    assert found["nc2_etf_cosine_deviation_class_means"].isnan().all()
    same = WEIGHT[:, :1].expand(-1, CLASSES, -1) / 3
    assert metrics.nc(FEATURES, LABELS, same)["nc2_norm_variation_weights"].isnan().all()


def test_what_is_not_allowed_is_named() -> None:
    with pytest.raises(ValueError, match="bias is given without weight"):
        metrics.nc(FEATURES, LABELS, bias=BIAS)
    with pytest.raises(ValueError, match=r"^bias has shape \(3, 3\); its last axis must have 4"):
        metrics.ncc_agreement(FEATURES, LABELS, WEIGHT, bias=BIAS[:, :3])
    spoilt = BIAS.clone()
    spoilt[1, 0] = torch.nan
    found = metrics.ncc_agreement(FEATURES, LABELS, WEIGHT, bias=spoilt)
    assert found.isnan().tolist() == [False, True, False]

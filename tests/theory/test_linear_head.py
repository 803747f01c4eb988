"""Theorem B.1 of Jacot et al., 2025, and its sharper form, on trained networks and where they are equalities."""

import math

import numpy as np
import pytest
import torch
from theory.linear_heads import LABELS, WIDTH, K, N, Y, disturbed, largest

from nc_runner.metrics import class_mean_condition_number, within_between_trace_ratio
from nc_runner.theory import linear_head_bounds, sharper_linear_head_bounds


def measured(weights, z):
    """What the two theorems are told of a network, each number as it is."""
    *_, before, last = weights
    singular = torch.linalg.svdvals(last)
    sizes = {"width": last.shape[1], "samples": z[-1].shape[1], "num_classes": K}
    common = {
        "interpolation_error": float((z[-1] - Y).norm()),
        "imbalance": largest(last.T @ last - before @ before.T),
        **sizes,
    }
    one = {"norm_bound": max(largest(m) for m in (last, z[-2], z[-3])), "condition_number": singular[0] / singular[-1]}
    three = {"weight_norm": singular[0], "least_singular_value": singular[-1], "feature_norm": largest(z[-3])}
    return common | one, common | three


def truth(weights, z):
    """Psi, NC1 and NC2 of the last features."""
    distance = float((z[-2] - torch.linalg.pinv(weights[-1]) @ Y).norm())
    ratio = within_between_trace_ratio(z[-2].T, LABELS)
    return distance, float(ratio), float(class_mean_condition_number(z[-2].T, LABELS, centred=False))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-3, 1e-2, 0.1, 0.5])
def test_the_theorem_holds_and_so_does_its_sharper_form(seed, noise):
    weights, z = disturbed(seed, noise)
    paper, three = measured(weights, z)
    loose, sharp = linear_head_bounds(**paper), sharper_linear_head_bounds(**three)
    for true, below, above in zip(truth(weights, z), sharp, loose, strict=True):
        assert true <= float(below) * (1 + 1e-9)
        assert float(below) <= float(above) * (1 + 1e-12)


def test_the_theorem_is_exercised_where_it_says_something():
    weights, z = disturbed(1, 0.0)
    paper, three = measured(weights, z)
    assert 0 < paper["interpolation_error"] < 0.2
    loose, sharp = linear_head_bounds(**paper), sharper_linear_head_bounds(**three)
    assert float(loose.trace_ratio) < 1
    assert float(loose.condition_number) < 10
    distance, ratio, _ = truth(weights, z)
    assert float(sharp.psi) < 2 * distance
    assert float(sharp.trace_ratio) < 30 * ratio


def test_the_bounds_by_double_loop():
    weights, z = disturbed(2, 1e-3)
    *_, before, last = (w.numpy() for w in weights)
    outputs, y = z[-1].numpy(), Y.numpy()
    error = math.sqrt(sum((outputs[k, i] - y[k, i]) ** 2 for k in range(K) for i in range(N)))
    difference = np.zeros((WIDTH, WIDTH))
    for a in range(WIDTH):
        for b in range(WIDTH):
            difference[a, b] = sum(last[k, a] * last[k, b] for k in range(K)) - sum(
                before[a, d] * before[b, d] for d in range(before.shape[1])
            )
    imbalance = max(abs(np.linalg.eigvalsh(difference)))
    singular = np.linalg.svd(last)[1]
    r = max(np.linalg.norm(m, 2) for m in (last, z[-2].numpy(), z[-3].numpy()))
    s_k = np.linalg.svd(y)[1][-1]
    assert s_k == pytest.approx(math.sqrt(N / K))
    paper, three = measured(weights, z)

    psi = r * (error / (s_k - error) + math.sqrt(WIDTH * imbalance))
    ratio = r**2 / N * psi**2 / (math.sqrt((K - 1) / K) - 2 / math.sqrt(N) * error) ** 2
    condition = (singular[0] / singular[-1] + r * psi / s_k) / (1 - r * psi / s_k)
    expected = [psi, ratio, condition if r * psi < s_k else math.inf]
    np.testing.assert_allclose(linear_head_bounds(**paper), expected, rtol=1e-9)

    inputs = np.linalg.norm(z[-3].numpy(), 2)
    psi = math.sqrt((error / singular[-1]) ** 2 + (WIDTH - K) * inputs**2 * imbalance)
    ratio = (singular[0] * psi) ** 2 / N / (math.sqrt((K - 1) / K) - error / math.sqrt(N)) ** 2
    condition = (singular[0] / singular[-1] + singular[0] * psi / s_k) / (1 - singular[0] * psi / s_k)
    assert singular[0] * psi < s_k
    np.testing.assert_allclose(sharper_linear_head_bounds(**three), [psi, ratio, condition], rtol=1e-9)


def collapsed(e1, e2, width=5):
    """sqrt(s) times isometries on collapsed features, s = s_K(Y); errors within the classes, and in the null space."""
    s = math.sqrt(N / K)
    within = torch.zeros(K, N, dtype=torch.float64)
    within[0, LABELS == 0] = torch.tensor([0.5, -0.5, 0.5, -0.5], dtype=torch.float64)
    last = math.sqrt(s) * torch.eye(K, width, dtype=torch.float64)
    before = math.sqrt(s) * torch.eye(width, dtype=torch.float64)
    before[K:] *= math.sqrt(e2 / s)
    inputs = torch.zeros(width, N, dtype=torch.float64)
    inputs[:K] = (Y + e1 * within) / s
    # Orthogonal to the one-hot vectors and to the error, and as long as the features.
    others = torch.linalg.svd(torch.cat([Y, within[:1]])).Vh[K + 1 :]
    inputs[K:] = others[: width - K]
    return [before, last], [inputs, before @ inputs, last @ before @ inputs]


def test_both_are_equalities_for_some_network():
    weights, z = collapsed(1e-5, 0.0)
    distance, ratio, _ = truth(weights, z)
    for bounds in (
        linear_head_bounds(**measured(weights, z)[0]),
        sharper_linear_head_bounds(**measured(weights, z)[1]),
    ):
        assert float(bounds.psi) == pytest.approx(distance, rel=1e-4)
        assert float(bounds.trace_ratio) == pytest.approx(ratio, rel=1e-4)
    for e1, e2 in [(0.0, 1e-4), (1e-3, 1e-5), (1e-2, 1e-4)]:
        weights, z = collapsed(e1, e2)
        distance, ratio, condition = truth(weights, z)
        sharp = sharper_linear_head_bounds(**measured(weights, z)[1])
        assert float(sharp.psi) == pytest.approx(distance, rel=e1**2 + 1e-9)
        assert float(sharp.trace_ratio) == pytest.approx(ratio, rel=2 * e1 + 1e-9)
        assert condition <= float(sharp.condition_number) < 1.1
        assert float(linear_head_bounds(**measured(weights, z)[0]).psi) > 1.05 * distance


def test_without_errors_the_condition_number_is_that_of_the_weight():
    common = {"interpolation_error": 0, "imbalance": 0, "width": 5, "samples": 12, "num_classes": 3}
    paper = linear_head_bounds(**common, norm_bound=2.0, condition_number=torch.tensor([1.0, 4.0]))
    sharp = sharper_linear_head_bounds(
        **common, weight_norm=2.0, least_singular_value=torch.tensor([2.0, 0.5]), feature_norm=3.0
    )
    for bounds in (paper, sharp):
        assert bounds.condition_number.tolist() == [1, 4]
        assert bounds.psi.tolist() == bounds.trace_ratio.tolist() == [0, 0]


PAPER = {
    "interpolation_error": 0.1,
    "imbalance": 1e-6,
    "norm_bound": 2.0,
    "condition_number": 1.5,
    "width": 5,
    "samples": 12,
    "num_classes": 3,
}
THREE = {n: v for n, v in PAPER.items() if n not in ("norm_bound", "condition_number")} | {
    "weight_norm": 2.0,
    "least_singular_value": 1.5,
    "feature_norm": 2.0,
}


def test_where_a_premise_fails_nothing_is_promised():
    """s_K(Y) = 2 and sqrt((K-1) N/(4K)) = sqrt(2), half of sqrt((K-1) N/K)."""
    errors = torch.tensor([0.1, 1.4, 1.42, 1.99, 2.0, 3.0, torch.inf])
    bounds = linear_head_bounds(**PAPER | {"interpolation_error": errors, "norm_bound": 0.1})
    assert bounds.psi.isinf().tolist() == [False] * 4 + [True] * 3
    assert bounds.trace_ratio.isinf().tolist() == [False] * 2 + [True] * 5
    assert bounds.condition_number.isinf().tolist() == [False] * 3 + [False] + [True] * 3
    sharp = sharper_linear_head_bounds(**THREE | {"interpolation_error": torch.tensor([0.1, 2.8, 2.9])})
    assert sharp.trace_ratio.isinf().tolist() == [False, False, True]
    for changed in ({"least_singular_value": 0.0}, {"width": 2}, {"least_singular_value": 0, "interpolation_error": 0}):
        assert all(field.isinf() for field in sharper_linear_head_bounds(**THREE | changed))
    far = linear_head_bounds(**PAPER | {"imbalance": torch.tensor([0.0, 0.04, 0.1, 10.0])})
    assert far.condition_number.isinf().tolist() == [False, False, True, True]
    assert (far.condition_number > 0).all()


@pytest.mark.parametrize(("of", "arguments"), [(linear_head_bounds, PAPER), (sharper_linear_head_bounds, THREE)])
def test_every_argument_broadcasts_and_a_nan_gives_nan(of, arguments):
    plain = of(**arguments)
    assert all(field.dtype == torch.float64 and field.isfinite() for field in plain)
    for name, value in arguments.items():
        for error in (0.1, 5.0):
            values = torch.tensor([[value], [torch.nan]], dtype=torch.float64)
            bounds = of(**arguments | {"interpolation_error": error} | {name: values})
            for field, once in zip(bounds, plain, strict=True):
                assert field.shape == (2, 1)
                assert field[1].isnan()
                assert field[0] == once or error == 5


@pytest.mark.parametrize(("of", "arguments"), [(linear_head_bounds, PAPER), (sharper_linear_head_bounds, THREE)])
def test_bad_arguments_are_named(of, arguments):
    for name in arguments:
        with pytest.raises(ValueError, match=rf"{name} is -1; it must be (at least|greater than) \d"):
            of(**arguments | {name: torch.tensor([1e3, -1.0])})

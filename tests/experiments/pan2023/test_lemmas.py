"""Each lemma's two sides against numpy; a search finds where a constant that is a little too good is violated."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from nc_runner import metrics, theory
from nc_runner.experiments.pan2023 import lemma_sides
from nc_runner.experiments.pan2023.adversary import searched, slopes
from nc_runner.experiments.pan2023.lemmas import LEMMAS, Lemma

BY_NAME = {lemma.name: lemma for lemma in LEMMAS}
Z = torch.randn(40, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def instances(lemma: Lemma) -> np.ndarray:
    return Z[:, : lemma.numbers].numpy()


def sides(lemma: Lemma) -> tuple[np.ndarray, np.ndarray]:
    less, more = lemma.sides(Z[:, : lemma.numbers])
    return less.numpy(), more.numpy()


def softmax(z: np.ndarray) -> np.ndarray:
    weights: np.ndarray = np.exp(z) / np.exp(z).sum()
    return weights


def test_the_sides_of_the_lemmas_on_numbers() -> None:
    for name in ("subset_mean", "subset_excess"):
        for z, less, more in zip(instances(BY_NAME[name]), *sides(BY_NAME[name]), strict=True):
            x, p = 2 * z[:8], softmax(2 * z[8:])
            mean = p @ x
            inside = max((slice(0, 4), slice(4, 8)), key=lambda s: p[s] @ x[s] / p[s].sum())
            delta = p[inside].sum()
            assert less == pytest.approx(p[inside] @ x[inside] / delta - mean, rel=1e-9)
            if name == "subset_mean":
                eps = p @ np.log1p(np.exp(x)) - np.log1p(np.exp(mean))
                grid = np.linspace(x.min(), x.max(), 2001)
                curvature = (np.exp(grid) / (1 + np.exp(grid)) ** 2).min()
                expected = math.sqrt(2 * eps * (1 - delta) / (curvature * delta))
            else:
                expected = math.sqrt(2 * (p @ np.exp(x) - math.exp(mean)) / (delta * math.exp(mean)))
            assert more == pytest.approx(expected, rel=1e-6)


def test_close_numbers_are_taken_apart_so_far_that_rounding_does_not_show() -> None:
    z = torch.cat([1e-9 * Z[:, :8], Z[:, 8:16]], 1)
    _, off, weight = lemma_sides.deviations(z)
    spread = (weight * off.square()).sum(-1).sqrt()
    torch.testing.assert_close(spread, torch.full_like(spread, lemma_sides.LEAST_SPREAD))
    assert (BY_NAME["subset_mean"].ratio(z) <= 1 + 1e-9).all()


def test_the_cosines_are_counted_pair_by_pair() -> None:
    for name, pairs in (("class_cosine", (0, 0)), ("pair_cosine", (0, 1))):
        for z, less, more in zip(instances(BY_NAME[name]), *sides(BY_NAME[name]), strict=True):
            unit = z.reshape(8, 4) / np.linalg.norm(z.reshape(8, 4), axis=1, keepdims=True)
            groups = unit[:4], unit[4:]
            cosines = [u @ v for u, v in itertools.product(groups[pairs[0]], groups[pairs[1]])]
            means = [group.mean(0) for group in groups]
            assert less == pytest.approx(1 - np.mean(cosines), rel=1e-12)
            assert more == pytest.approx(1 - means[pairs[0]] @ means[pairs[1]], rel=1e-12)


def test_the_sides_of_the_lemma_on_vectors_and_of_its_step() -> None:
    for z, *found in zip(
        instances(BY_NAME["step"]), *sides(BY_NAME["mean_direction"]), *sides(BY_NAME["step"]),
        *sides(BY_NAME["step_any_sign"]), strict=True,
    ):  # fmt: skip
        length, p, direction = np.exp(2 * z[:6]), softmax(2 * z[6:12]), z[12:].reshape(6, 3)
        unit = direction / np.linalg.norm(direction, axis=1, keepdims=True)
        moment = p @ length**2
        c, c_positive = p @ (length * unit[:, 0]), p @ (length * abs(unit[:, 0]))
        expected = [
            1 - np.linalg.norm(p @ unit), 2 - 2 * c**2 / moment,
            1 - p @ abs(unit[:, 0]), 1 - c_positive**2 / moment,
            1 - np.sign(c) * (p @ unit[:, 0]), 1 - c**2 / moment,
        ]  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_the_margin_s_ratio_is_the_metric() -> None:
    weight, features = lemma_sides.classified(Z[:, :48])
    expected = metrics.margin_ratio(features, lemma_sides.LABELS, weight)
    torch.testing.assert_close(BY_NAME["margin"].ratio(Z), expected)


def test_of_the_theorem_the_share_of_the_classes_is_that_at_which_least_is_left() -> None:
    lemma = BY_NAME["most_classes"]
    z = Z[:, : lemma.numbers].clone()
    z[:, 1] = -1.0  # near enough that the bound says something
    for row, ratio in zip(z.numpy(), lemma.ratio(z).tolist(), strict=True):
        frame = np.eye(4) - 0.25
        simplex = np.concatenate([math.sqrt(2) * frame, frame, frame])
        rows = math.exp(row[0]) * (simplex + math.exp(row[1] - 6) * row[2:].reshape(12, 4))
        weight, h, labels = rows[:4], rows[4:], np.tile(np.arange(4), 2)
        logits = h @ weight.T
        loss = np.log(np.exp(logits - logits[np.arange(8), labels, None]).sum(1)).mean()
        unit = h / np.linalg.norm(h, axis=1, keepdims=True)
        intra = np.sort([np.square(unit[labels == c].mean(0)).sum() for c in range(4)])
        alpha, beta = math.sqrt(np.square(h).sum(1).mean()), np.linalg.norm(weight) / 2
        allowed = [
            1 - float(theory.near_optimal_bounds(alpha, beta, loss + 1e-14, 4, k / 4).intra_class_lower_bound)
            for k in (1, 2, 3)
        ]
        assert ratio == pytest.approx(
            max((1 - i) / a * (a < 1) for i, a in zip(intra[:3], allowed, strict=True)), rel=1e-5
        )


def too_good(lemma: Lemma, factor: float) -> Lemma:
    """With a constant of the larger side that is wrong by a factor."""

    def changed(z: Tensor) -> tuple[Tensor, Tensor]:
        less, more = lemma.sides(z)
        return less, factor * more

    return dataclasses.replace(lemma, sides=changed)


SEARCHED = [lemma for lemma in LEMMAS if lemma.extreme is not None and not lemma.false]


@pytest.mark.parametrize("lemma", SEARCHED, ids=lambda lemma: lemma.name)
def test_a_search_finds_no_violation_but_of_a_constant_2_percent_too_good(lemma: Lemma) -> None:
    starts = Z[:12, : lemma.numbers]
    assert lemma.ratio(starts).max() < 0.97
    ends = searched(lemma.ratio, starts, 800 if lemma.name == "margin" else 250)  # over many kinks
    assert (lemma.ratio(ends) >= lemma.ratio(starts)).all()
    assert 0.98 < lemma.ratio(ends).max() <= 1 + 1e-9
    assert too_good(lemma, 0.98).ratio(ends).max() > 1


@pytest.mark.parametrize("lemma", SEARCHED, ids=lambda lemma: lemma.name)
def test_at_the_instance_made_by_hand_the_sides_nearly_meet(lemma: Lemma) -> None:
    assert lemma.extreme is not None
    assert 0.998 < float(lemma.ratio(lemma.extreme()[None])) <= 1 + 1e-12


def test_of_the_false_step_a_search_finds_violations_everywhere_and_the_extreme_is_the_worst() -> None:
    lemma = BY_NAME["step_any_sign"]
    ends = lemma.ratio(searched(lemma.ratio, Z[:12, : lemma.numbers], 100))
    assert (ends > 1).all()
    assert lemma.extreme is not None
    assert ends.max() <= float(lemma.ratio(lemma.extreme()[None])) == pytest.approx(2)


def test_two_and_minus_one_are_the_least_integers_against_it() -> None:
    def false(*v: int) -> bool:
        c, moment = np.mean(v), np.mean(np.square(v))
        return bool(abs(np.mean(np.sign(v)) * np.sign(c)) < c**2 / moment - 1e-12)

    against = [v for v in itertools.product(range(-3, 4), repeat=2) if all(v) and false(*v)]
    assert min(abs(a) + abs(b) for a, b in against) == 3
    assert {tuple(sorted(map(abs, v))) for v in against if sum(map(abs, v)) == 3} == {(1, 2)}
    assert all(a * b < 0 for a, b in against)
    assert not any(false(v) for v in range(-9, 10) if v)


def test_slopes_are_the_gradient() -> None:
    def ratio(z: Tensor) -> Tensor:
        return (z[:, 0] ** 2 * z[:, 1]).sin()

    at = Z[:5, :2].clone().requires_grad_()
    (expected,) = torch.autograd.grad(ratio(at).sum(), at)
    torch.testing.assert_close(slopes(ratio, at.detach()), expected, rtol=1e-7, atol=1e-8)


def test_a_search_keeps_the_best_of_its_way() -> None:
    peak = searched(lambda z: -(z - 2).square().sum(-1), Z[:5, :3], 300)
    torch.testing.assert_close(peak, torch.full_like(peak, 2.0), atol=1e-2, rtol=0)
    start = torch.zeros(1, 1, dtype=torch.float64)
    assert searched(lambda z: -z[:, 0].abs(), start, 20).tolist() == [[0.0]]

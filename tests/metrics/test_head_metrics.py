"""Balancedness, negativity and the condition number of class means, against loops and exact configurations."""

import math

import numpy as np
import pytest
import torch

from nc_runner.metrics import balancedness, class_mean_condition_number, negativity

DRAW = torch.Generator().manual_seed(17)
LABELS = torch.tensor([0, 1, 2, 0, 0, 1, 2, 0, 1, 0])


def normal(*shape):
    return torch.randn(*shape, generator=DRAW, dtype=torch.float64)


def gram_by_loop(rows):
    """Every inner product of two rows."""
    return np.array([[sum(a * b for a, b in zip(u, v, strict=True)) for v in rows] for u in rows])


# Balancedness


def test_balancedness_by_double_loop():
    following, weight = normal(3, 5), normal(5, 4)
    after, before = gram_by_loop(following.T.tolist()), gram_by_loop(weight.tolist())
    largest = [np.linalg.svd(matrix, compute_uv=False)[0] for matrix in (after - before, after, before)]
    measured = balancedness(following, weight)
    assert float(measured) == pytest.approx(largest[0] / min(largest[1:]), rel=1e-12)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_balancedness_of_multiples(factor):
    """V^T V = f^2 W W^T: |f^2 - 1| of the larger or the smaller, whichever W is."""
    weight = normal(5, 4)
    expected = abs(factor**2 - 1) / min(factor**2, 1)
    assert float(balancedness(factor * weight.T, weight)) == pytest.approx(expected, rel=1e-12, abs=1e-14)
    rotation = torch.linalg.qr(normal(7, 7)).Q
    turned = balancedness(rotation[:, :4] @ (factor * weight.T), weight @ rotation[:4])
    assert float(turned) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e170, 1e300])
def test_balancedness_and_negativity_of_extreme_matrices(scale):
    following, weight = normal(3, 5), normal(5, 4)
    assert float(balancedness(scale * following, scale * weight)) == pytest.approx(
        float(balancedness(following, weight)), rel=1e-10
    )
    assert float(negativity(scale * weight)) == pytest.approx(float(negativity(weight)), rel=1e-10)


def test_a_zero_or_non_finite_matrix_has_no_balancedness():
    weights = normal(4, 5, 4)
    weights[1], weights[2, 0, 3] = 0, torch.inf
    following = normal(5, 5)
    assert balancedness(following, weights).isnan().tolist() == [False, True, True, False]
    assert balancedness(weights.mT, following).isnan().tolist() == [False, True, True, False]
    each = [balancedness(following, weights[i]) for i in (0, 3)]
    torch.testing.assert_close(balancedness(following, weights)[[0, 3]], torch.stack(each), rtol=1e-12, atol=0)
    assert balancedness(following[None].expand(2, 1, 5, 5), weights).shape == (2, 4)
    assert balancedness(torch.zeros(3, 5), torch.zeros(5, 4)).isnan()


def test_arguments_of_balancedness_are_named():
    with pytest.raises(ValueError, match=r"weight_next has rows of length 4; .* number of rows of weight, 5\."):
        balancedness(normal(3, 4), normal(5, 4))
    with pytest.raises(ValueError, match=r"weight_next has dtype torch\.int64"):
        balancedness(torch.ones(3, 5, dtype=torch.int64), normal(5, 4))
    with pytest.raises(ValueError, match=r"weight has shape \(5,\)"):
        balancedness(normal(3, 5), normal(5))


# Negativity


@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_negativity_by_loop(shape):
    values = normal(*shape)
    negative = [[v if v < 0 else 0.0 for v in row] for row in values.tolist()]
    largest = [math.sqrt(np.linalg.eigvalsh(gram_by_loop(rows))[-1]) for rows in (negative, values.tolist())]
    assert float(negativity(values)) == pytest.approx(largest[0] / largest[1], rel=1e-12)


def test_negativity_of_one_sign_and_of_cancelling_signs():
    """A Hadamard matrix has norm sqrt(n); its negative entries, (n - sqrt(n))/2 of n^2, add up."""
    hadamard = torch.tensor([[1.0, 1], [1, -1]], dtype=torch.float64)
    hadamard = torch.kron(torch.kron(hadamard, hadamard), torch.kron(hadamard, hadamard))
    measured = float(negativity(-hadamard))
    assert measured == pytest.approx(float(torch.linalg.svdvals(hadamard.clamp(min=0))[0]) / 4, rel=1e-12)
    assert 2 < measured < 4
    positive = normal(6, 3).abs()
    assert float(negativity(positive)) == 0
    assert float(negativity(-positive)) == pytest.approx(1, rel=1e-14)


def test_negativity_of_zeros_is_undefined():
    assert negativity(torch.stack([torch.zeros(3, 2), torch.ones(3, 2)])).isnan().tolist() == [True, False]
    with pytest.raises(ValueError, match=r"preactivations has shape \(3,\)"):
        negativity(torch.ones(3))


# Condition number of the class means


@pytest.mark.parametrize("centred", [False, True])
def test_class_mean_condition_number_by_double_loop(centred):
    features = normal(10, 4) + 0.4
    rows, labels = features.tolist(), LABELS.tolist()
    means = []
    for k in range(3):
        members = [row for row, y in zip(rows, labels, strict=True) if y == k]
        means.append([sum(row[d] for row in members) / len(members) for d in range(4)])
    if centred:
        means = [[m[d] - sum(other[d] for other in means) / 3 for d in range(4)] for m in means]
    eigenvalues = np.linalg.eigvalsh(gram_by_loop(means))[::-1]
    expected = math.sqrt(eigenvalues[0] / eigenvalues[1 if centred else 2])
    measured = class_mean_condition_number(features, LABELS, centred=centred)
    assert float(measured) == pytest.approx(expected, rel=1e-12)


def test_class_mean_condition_number_of_known_frames():
    labels = torch.arange(3).repeat(2)
    orthogonal = torch.eye(3, 5, dtype=torch.float64)
    simplex = orthogonal - orthogonal.mean(dim=0)
    stretched = orthogonal * torch.tensor([[1.0], [2.0], [6.0]])
    for means, centred, expected in [(orthogonal, False, 1), (simplex, True, 1), (stretched, False, 6)]:
        measured = class_mean_condition_number(7 * means[labels], labels, centred=centred)
        assert float(measured) == pytest.approx(expected, rel=1e-12)
    assert float(class_mean_condition_number((simplex + 100)[labels], labels, centred=True)) == pytest.approx(1)


def test_dependent_class_means_are_undefined_not_well_conditioned():
    """Three at 120 degrees in a plane, whose two non-zero singular values are equal."""
    labels = torch.arange(3).repeat(2)
    simplex = torch.tensor([[1.0, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]], dtype=torch.float64)
    padded = torch.nn.functional.pad(simplex, (0, 3)) @ torch.linalg.qr(normal(5, 5)).Q
    for means in (simplex, padded):
        assert class_mean_condition_number(means[labels], labels, centred=False).isnan()
        assert float(class_mean_condition_number(means[labels], labels, centred=True)) == pytest.approx(1)
    assert class_mean_condition_number(simplex[:, :1][labels], labels, centred=True).isnan()
    slight = padded + 1e-9 * torch.eye(3, 5, dtype=torch.float64)
    assert 1e8 < float(class_mean_condition_number(slight[labels], labels, centred=False)) < 1e11

"""Cluster variation, distance from low rank, and the bound of one by the other."""

import numpy as np
import pytest
import torch

from nc_runner.config.choices import Norm
from nc_runner.config.schema import ModelConfig
from nc_runner.metrics import (
    numerical_rank,
    rank_tcv_bound,
    relative_rank_distance,
    total_cluster_variation,
    within_between_trace_ratio,
)
from nc_runner.models import MLP

DRAW = torch.Generator().manual_seed(5)
LABELS = torch.tensor([0, 1, 2, 0, 0, 1, 2, 0, 1, 0])
FEATURES = torch.randn(10, 4, generator=DRAW, dtype=torch.float64) + 0.4


def normal(*shape):
    return torch.randn(*shape, generator=DRAW, dtype=torch.float64)


def with_singular_values(values, rows=6, columns=5):
    """A rows x columns matrix of random singular vectors."""
    left, right = torch.linalg.qr(normal(rows, len(values))).Q, torch.linalg.qr(normal(columns, len(values))).Q
    return left * torch.tensor(values, dtype=torch.float64) @ right.T


# Total cluster variation


def test_total_cluster_variation_by_double_loop():
    features, labels = FEATURES.numpy(), LABELS.numpy()
    total = 0.0
    for k in range(3):
        members = [features[i] for i in range(10) if labels[i] == k]
        mean = sum(members) / len(members)
        total += sum(float((z - mean) @ (z - mean)) for z in members)
    assert float(total_cluster_variation(FEATURES, LABELS, reduction="sum")) == pytest.approx(total, rel=1e-12)
    assert float(total_cluster_variation(FEATURES, LABELS, reduction="mean")) == pytest.approx(total / 10, rel=1e-12)


def test_total_cluster_variation_of_known_deviations():
    """Deviations +1 and -1 in every coordinate about means that do not matter: 4 a sample."""
    deviations = torch.ones(6, 4) * torch.tensor([1.0, -1.0]).repeat(3)[:, None]
    features = deviations + torch.tensor([[1e3], [0.0], [-7.0]]).repeat_interleave(2, 0)
    labels = torch.arange(3).repeat_interleave(2)
    assert float(total_cluster_variation(features, labels, reduction="mean")) == 4
    assert float(total_cluster_variation(features, labels, reduction="sum")) == 24


def test_total_cluster_variation_is_the_trace_of_the_within_class_scatter():
    means = torch.stack([FEATURES[k == LABELS].mean(dim=0) for k in range(3)])
    between = (means - means.mean(dim=0)).square().sum() / 3
    ratio = total_cluster_variation(FEATURES, LABELS, reduction="mean") / between
    assert float(ratio) == pytest.approx(float(within_between_trace_ratio(FEATURES, LABELS)), rel=1e-12)


def test_total_cluster_variation_sees_size_but_neither_origin_nor_axes():
    rotation = torch.linalg.qr(normal(4, 4)).Q
    moved = 3 * FEATURES @ rotation + 100
    for reduction in ("mean", "sum"):
        measured = total_cluster_variation(moved, LABELS, reduction=reduction)
        expected = 9 * total_cluster_variation(FEATURES, LABELS, reduction=reduction)
        torch.testing.assert_close(measured, expected, rtol=1e-10, atol=0)


def test_total_cluster_variation_of_equal_features_and_of_an_absent_class_is_a_number():
    assert float(total_cluster_variation(torch.zeros(10, 4), LABELS, reduction="mean")) == 0
    assert float(total_cluster_variation(torch.full((10, 4), 0.1), LABELS, reduction="sum")) < 1e-30
    renamed = torch.where(LABELS == 2, 7, LABELS)
    for reduction in ("mean", "sum"):
        expected = total_cluster_variation(FEATURES, LABELS, reduction=reduction)
        torch.testing.assert_close(total_cluster_variation(FEATURES, renamed, reduction=reduction), expected)


# Distance from low rank


def test_relative_rank_distance_of_known_singular_values():
    weight = with_singular_values([4.0, 3.0, 2.0, 1.0])
    for rank, tail in enumerate([30, 14, 5, 1, 0, 0, 0]):
        assert float(relative_rank_distance(weight, rank)) == pytest.approx(tail / 30, rel=1e-12, abs=1e-30)
        assert float(relative_rank_distance(weight.T, rank)) == pytest.approx(tail / 30, rel=1e-12, abs=1e-30)
    assert float(relative_rank_distance(weight, 5)) == 0


def test_relative_rank_distance_is_that_of_the_nearest_matrix_of_that_rank():
    weight = normal(5, 4)
    left, singular, right = np.linalg.svd(weight.numpy(), full_matrices=False)
    nearest = left[:, :2] * singular[:2] @ right[:2]
    expected = np.square(weight.numpy() - nearest).sum() / np.square(weight.numpy()).sum()
    assert float(relative_rank_distance(weight, 2)) == pytest.approx(expected, rel=1e-12)


def test_relative_rank_distance_is_good_down_to_the_rounding_of_an_svd():
    for tail in (1e-6, 1e-10, 1e-13):
        weight = torch.diag(torch.tensor([1.0, 1.0, tail], dtype=torch.float64))
        assert float(relative_rank_distance(weight, 2)) == pytest.approx(tail**2 / 2, rel=1e-12)
    exact = with_singular_values([1.0, 0.5])
    assert float(relative_rank_distance(exact, 2)) < 1e-30


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e170, 1e300])
def test_extreme_weights_neither_overflow_nor_vanish(scale):
    weight = with_singular_values([4.0, 3.0, 2.0, 1.0])
    assert float(relative_rank_distance(scale * weight, 2)) == pytest.approx(5 / 30, rel=1e-10)
    assert float(numerical_rank(scale * weight, relative_tolerance=1e-10)) == 4


def test_a_zero_matrix_has_rank_zero_and_no_relative_distance():
    weights = torch.stack([torch.zeros(3, 4), torch.eye(3, 4)])
    assert relative_rank_distance(weights, 1).isnan().tolist() == [True, False]
    assert relative_rank_distance(weights, 0).isnan().tolist() == [True, False]
    assert relative_rank_distance(weights, 3).isnan().tolist() == [True, False]
    assert numerical_rank(weights, relative_tolerance=0.0).tolist() == [0, 3]


def test_numerical_rank_counts_above_the_tolerance():
    matrix = with_singular_values([2.0, 1.0, 1e-3, 1e-9])
    for tolerance, expected in [(0.6, 1), (0.4, 2), (1e-3, 2), (4e-4, 3), (1e-7, 3), (1e-12, 4)]:
        rank = numerical_rank(matrix, relative_tolerance=tolerance)
        assert rank.dtype == torch.float64
        assert float(rank) == expected
    ones = torch.diag(torch.tensor([1.0, 0.25, 0.25]))
    assert float(numerical_rank(ones, relative_tolerance=0.25)) == 1  # above, not at


@pytest.mark.parametrize("norm", [Norm.none, Norm.affine])
def test_the_gradient_of_a_layer_on_a_batch_has_the_batch_s_rank(norm):
    """Zangrando et al., 2026, Prop. 3.1, on the package's own networks."""
    network = MLP(ModelConfig(depth=3, width=9, norm=norm), 8, 7, [0], device=torch.device("cpu"), dtype=torch.float64)
    targets = torch.eye(7, dtype=torch.float64)

    def ranks(samples):
        x = torch.randn(3, 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))[samples]
        network.loss_and_gradient(x, targets[:3, None][samples])
        gradients = [network.grads[f"{i}.weight"][0] for i in (1, 2, 3)]
        return [float(numerical_rank(gradient, relative_tolerance=1e-10)) for gradient in gradients]

    # The greatest of the layers: BatchNorm centres what enters the later ones, which costs a rank there.
    assert max(ranks([0, 1])) == 2
    assert max(ranks([0, 1, 2])) == 3
    assert max(ranks([0, 1, 2, 0, 2, 1, 1, 0])) == 3


# The bound


def rank_distance(weight, rank):
    """Frobenius distance from that rank."""
    return torch.linalg.svdvals(weight)[..., rank:].square().sum(dim=-1).sqrt()


@pytest.mark.parametrize("seed", range(30))
def test_the_bound_holds_of_any_numbers(seed):
    draw = torch.Generator().manual_seed(seed)
    noise, size, decay = (10 ** (4 * torch.rand(3, generator=draw) - 3)).tolist()
    means = [torch.randn(3, width, generator=draw, dtype=torch.float64)[LABELS] for width in (6, 5)]
    noises = [torch.randn(10, width, generator=draw, dtype=torch.float64) for width in (6, 5)]
    backpropagated, inputs = (mean + noise * deviation for mean, deviation in zip(means, noises, strict=True))
    # From a weight of any size to one that is nearly a critical point, where the bound says most.
    critical = -backpropagated.T @ inputs / 10 / decay
    for weight in (critical, critical + size * torch.randn(6, 5, generator=draw, dtype=torch.float64)):
        bound = float(rank_tcv_bound(backpropagated, inputs, LABELS, weight, decay))
        assert float(rank_distance(weight, 3)) <= bound * (1 + 1e-12)


def test_the_bound_by_double_loop():
    backpropagated, inputs, weight, decay = normal(10, 3), normal(10, 4), normal(3, 4), 0.3
    labels = LABELS.tolist()
    variations = []
    for values in (backpropagated, inputs):
        means = {k: sum(v for v, y in zip(values, labels, strict=True) if y == k) / labels.count(k) for k in range(3)}
        variations.append(sum(float((v - means[y]).square().sum()) for v, y in zip(values, labels, strict=True)) / 10)
    gradient = sum(torch.outer(d, z) for d, z in zip(backpropagated, inputs, strict=True)) / 10
    residual = float((gradient + decay * weight).square().sum()) ** 0.5
    expected = ((variations[0] * variations[1]) ** 0.5 + residual) / decay
    assert float(rank_tcv_bound(backpropagated, inputs, LABELS, weight, decay)) == pytest.approx(expected, rel=1e-12)


def test_the_bound_is_an_equality_at_a_critical_point_with_one_noisy_direction():
    """Class means along two axes, deviations along a third in both delta and z, W where the residual vanishes."""
    labels = torch.tensor([0, 0, 1, 1])
    axes = torch.eye(4, dtype=torch.float64)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)[:, None]
    inputs = 5 * axes[labels] + 0.2 * signs * axes[2]
    backpropagated = -3 * axes[labels] - 0.1 * signs * axes[2]
    decay = 0.05
    weight = -backpropagated.T @ inputs / 4 / decay
    bound = float(rank_tcv_bound(backpropagated, inputs, labels, weight, decay))
    assert bound == pytest.approx(0.2 * 0.1 / decay, rel=1e-12)
    assert float(rank_distance(weight, 2)) == pytest.approx(bound, rel=1e-12)
    # Off the critical point by a matrix of another direction still: the residual's norm over lambda, no more.
    off = weight + 0.4 * torch.outer(axes[3], axes[3])
    assert float(rank_tcv_bound(backpropagated, inputs, labels, off, decay)) == pytest.approx(bound + 0.4, rel=1e-12)


def test_the_bound_is_of_the_gradient_that_autograd_finds():
    """On a trained layer's own numbers, where the residual is what autograd calls the gradient."""
    inputs, weight, decay = normal(10, 4), normal(3, 4).requires_grad_(), 0.2
    outputs = inputs @ weight.T
    outputs.retain_grad()
    loss = torch.nn.functional.cross_entropy(outputs, LABELS) + decay / 2 * weight.square().sum()
    loss.backward()
    bound = rank_tcv_bound(10 * outputs.grad, inputs, LABELS, weight, decay)
    variation = [total_cluster_variation(v, LABELS, reduction="mean") for v in (10 * outputs.grad, inputs)]
    expected = ((variation[0] * variation[1]).sqrt() + weight.grad.norm()) / decay
    assert float(bound) == pytest.approx(float(expected), rel=1e-12)
    assert not bound.requires_grad


def test_the_bound_s_batch_axes_broadcast_and_a_spoilt_entry_keeps_to_itself():
    backpropagated, inputs, weight = normal(4, 10, 3), normal(10, 5), normal(4, 3, 5)
    decay = torch.tensor([0.1, 0.2, 0.3, 0.4])
    batched = rank_tcv_bound(backpropagated, inputs, LABELS, weight, decay)
    each = [rank_tcv_bound(backpropagated[i], inputs, LABELS, weight[i], float(decay[i])) for i in range(4)]
    torch.testing.assert_close(batched, torch.stack(each), rtol=1e-7, atol=0)
    weight[1, 0, 0], backpropagated[2, 3, 1], decay[3] = torch.inf, torch.nan, torch.nan
    spoilt = rank_tcv_bound(backpropagated, inputs, LABELS, weight, decay)
    assert spoilt.isnan().tolist() == [False, True, True, True]
    assert float(spoilt[0]) == float(batched[0])


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"reduction is 'median'; it must be \"mean\" or \"sum\"\."):
        total_cluster_variation(FEATURES, LABELS, reduction="median")
    for rank in (-1, 1.0, True):
        with pytest.raises(ValueError, match=rf"rank is {rank}; it must be a whole number of at least 0\."):
            relative_rank_distance(FEATURES, rank)
    for tolerance in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"relative_tolerance is .*; it must be at least 0 and less than 1\."):
            numerical_rank(FEATURES, relative_tolerance=tolerance)
    with pytest.raises(ValueError, match=r"weight has dtype torch\.int64"):
        relative_rank_distance(LABELS[None], 1)
    with pytest.raises(ValueError, match=r"matrix has shape \(4,\)"):
        numerical_rank(FEATURES[0], relative_tolerance=0.1)
    weight = torch.zeros(3, 4)
    with pytest.raises(ValueError, match=r"weight has shape \(3, 5\); .* \(3, 4\)\."):
        rank_tcv_bound(FEATURES[:, :3], FEATURES, LABELS, torch.zeros(3, 5), 0.1)
    with pytest.raises(ValueError, match=r"weight_decay is 0; it must be greater than 0\."):
        rank_tcv_bound(FEATURES[:, :3], FEATURES, LABELS, weight, torch.tensor([0.1, 0.0]))
    with pytest.raises(ValueError, match=r"labels has shape \(10,\); .* \(9,\), one label for each sample of inputs\."):
        rank_tcv_bound(FEATURES[:, :3], FEATURES[1:], LABELS, weight, 0.1)
    with pytest.raises(ValueError, match=r"backpropagated has dtype torch\.int64"):
        rank_tcv_bound(FEATURES[:, :3].long(), FEATURES, LABELS, weight, 0.1)

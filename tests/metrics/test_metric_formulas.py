"""Every metric against a computation of another kind: loops over pairs, exact configurations, a full pseudo-inverse."""

import itertools
import math

import numpy as np
import pytest
import torch

from nc_runner.metrics import (
    class_means,
    effective_depth,
    etf_cosine_deviation,
    inter_class_cosine,
    intra_class_cosine,
    ncc_accuracy,
    norm_variation,
    operator_norm,
    self_duality_cosine,
    self_duality_distance,
    within_between_pinv_trace,
    within_between_trace_ratio,
    within_class_variation,
)


@pytest.fixture
def sample():
    """Unequal classes around unequal means, off centre."""
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], [7, 4, 9])[rng.permutation(20)]
    features = 1.0 + 0.8 * rng.standard_normal((3, 6))[labels] + rng.standard_normal((20, 6))
    return features, labels


def tensors(sample):
    return torch.from_numpy(sample[0]), torch.from_numpy(sample[1])


def cosine(a, b):
    return a @ b / np.sqrt((a @ a) * (b @ b))


def simplex(classes, width=None):
    """Rows of an exact simplex ETF, by default in classes dimensions."""
    rows = torch.eye(classes, width or classes, dtype=torch.float64)
    return rows - torch.cat([torch.full((classes,), 1 / classes), torch.zeros(rows.shape[1] - classes)])


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("self_pairs", [False, True])
def test_intra_class_cosine_is_the_mean_over_pairs(sample, centred, self_pairs):
    features, labels = sample
    shifted = features - features.mean(axis=0) if centred else features
    expected = []
    for c in range(3):
        members = np.flatnonzero(labels == c)
        pairs = [(i, j) for i, j in itertools.product(members, members) if self_pairs or i != j]
        expected.append(np.mean([cosine(shifted[i], shifted[j]) for i, j in pairs]))
    measured = intra_class_cosine(*tensors(sample), centred=centred, self_pairs=self_pairs)
    np.testing.assert_allclose(measured, expected, rtol=1e-12)


@pytest.mark.parametrize("centred", [False, True])
def test_inter_class_cosine_is_the_mean_over_pairs(sample, centred):
    features, labels = sample
    shifted = features - features.mean(axis=0) if centred else features
    measured = inter_class_cosine(*tensors(sample), centred=centred)
    assert measured.diagonal().isnan().all()
    for c, d in itertools.permutations(range(3), 2):
        pairs = itertools.product(np.flatnonzero(labels == c), np.flatnonzero(labels == d))
        np.testing.assert_allclose(measured[c, d], np.mean([cosine(shifted[i], shifted[j]) for i, j in pairs]))


def test_class_means_and_ncc_accuracy_by_loop(sample):
    features, labels = sample
    means = np.stack([features[labels == c].mean(axis=0) for c in range(3)])
    nearest = [np.argmin([np.linalg.norm(h - m) for m in means]) for h in features]
    np.testing.assert_allclose(class_means(*tensors(sample)), means)
    accuracy = float(ncc_accuracy(*tensors(sample)))
    assert accuracy == pytest.approx(np.mean(nearest == labels))
    assert 0.5 < accuracy < 1


@pytest.mark.parametrize("centred", [False, True])
def test_self_duality_cosine_by_loop(sample, centred):
    features, labels = sample
    weight = np.random.default_rng(4).standard_normal((3, 6)) + 0.5
    rows = weight - weight.mean(axis=0) if centred else weight
    centre = features.mean(axis=0) if centred else 0
    expected = [cosine(rows[c], features[labels == c].mean(axis=0) - centre) for c in range(3)]
    measured = self_duality_cosine(*tensors(sample), torch.from_numpy(weight), centred=centred)
    np.testing.assert_allclose(measured, expected)


def test_self_duality_distance_by_loop(sample):
    """Unequal classes: the mean of the class means is not that of the samples."""
    features, labels = sample
    weight = np.random.default_rng(4).standard_normal((3, 6)) + 0.5
    means = np.stack([features[labels == c].mean(axis=0) for c in range(3)])
    expected = []
    for c in range(3):
        row, mean = weight[c] - weight.mean(axis=0), means[c] - means.mean(axis=0)
        expected.append(np.linalg.norm(row / np.linalg.norm(row) - mean / np.linalg.norm(mean)))
    measured = self_duality_distance(*tensors(sample), torch.from_numpy(weight))
    np.testing.assert_allclose(measured, expected, rtol=1e-12)
    opposite = self_duality_distance(*tensors(sample), -torch.from_numpy(means))
    np.testing.assert_allclose(opposite, [2, 2, 2], rtol=1e-12)


def test_self_duality_distance_resolves_a_small_angle():
    """Features turned by 1e-9, which a cosine, 1 - 5e-19, would take for none."""
    angle, labels = 1e-9, torch.arange(3)
    rows = torch.tensor([[1.0, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]], dtype=torch.float64)
    turn = torch.tensor([[1, -angle], [angle, 1]], dtype=torch.float64)
    assert self_duality_distance(2 * rows @ turn, labels, 5 * rows).tolist() == pytest.approx(3 * [angle], rel=1e-6)


def test_within_class_variation_by_loop(sample):
    features, labels = sample
    means = np.stack([features[labels == c].mean(axis=0) for c in range(3)])
    within = np.mean([np.linalg.norm(h - means[c]) for h, c in zip(features, labels, strict=True)])
    between = np.mean([np.linalg.norm(m - means.mean(axis=0)) for m in means])
    assert float(within_class_variation(*tensors(sample))) == pytest.approx(within / between, rel=1e-12)


def test_norm_variation():
    """Lengths 1, 2 and 6, whatever the directions: mean 3, squared deviations 4, 1 and 9."""
    vectors = torch.tensor([[0.6, 0.8], [-2.0, 0.0], [0.0, 6.0]], dtype=torch.float64)
    assert float(norm_variation(vectors, centred=False)) == pytest.approx(math.sqrt(14 / 3) / 3, rel=1e-12)
    assert float(norm_variation(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), centred=False)) == pytest.approx(1)
    assert norm_variation(torch.zeros(3, 2), centred=False).isnan()
    assert norm_variation(torch.ones(4, 1, 3), centred=False).isnan().tolist() == 4 * [True]


def scatter(features, labels):
    means = np.stack([features[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
    within = sum(np.outer(h - means[c], h - means[c]) for h, c in zip(features, labels, strict=True)) / len(labels)
    between = sum(np.outer(m, m) for m in means - means.mean(axis=0)) / len(means)
    return within, between


def test_scatter_metrics_agree_with_full_covariances(sample):
    within, between = scatter(*sample)
    assert float(within_between_trace_ratio(*tensors(sample))) == pytest.approx(np.trace(within) / np.trace(between))
    full = np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / 3
    assert float(within_between_pinv_trace(*tensors(sample))) == pytest.approx(full)


def test_pinv_trace_with_fewer_dimensions_than_classes(sample):
    features, labels = sample
    within, between = scatter(features[:, :1], labels)
    measured = within_between_pinv_trace(torch.from_numpy(features[:, :1]), torch.from_numpy(labels))
    assert float(measured) == pytest.approx(within.item() / between.item() / 3)


def test_pinv_trace_is_right_where_a_float32_pseudo_inverse_is_not():
    """Class means that nearly lie on a line, by a part in 10^5: known exactly, since deviations come in +- pairs."""
    slight, spread, width = 2.0**-17, 2.0**-10, 32
    means = torch.zeros(3, width)
    means[:, 0], means[:, 1] = torch.tensor([-1.0, 0.0, 1.0]), slight * torch.tensor([1.0, -2.0, 1.0])
    deviations = torch.zeros(4, width)
    deviations[:, 0], deviations[:, 1] = spread * torch.tensor([1.0, -1, 0, 0]), spread * torch.tensor([0.0, 0, 1, -1])
    features = (means[:, None] + deviations).reshape(12, width)
    labels = torch.arange(3).repeat_interleave(4)

    exact = spread**2 / 2 * (3 / 2 + 3 / (6 * slight**2)) / 3
    assert float(within_between_pinv_trace(features, labels)) == pytest.approx(exact, rel=1e-9)

    centred = means - means.mean(dim=0)
    between = centred.T @ centred / 3
    residual = deviations.repeat(3, 1)
    within = residual.T @ residual / 12
    single = float((within @ torch.linalg.pinv(between)).trace() / 3)
    assert not 1e-2 < single / exact < 1e2


def test_collapse_to_a_simplex_scores_as_collapse():
    classes = 5
    labels = torch.arange(classes).repeat(3)
    features = 7 * simplex(classes, 8)[labels]
    inter = inter_class_cosine(features, labels, centred=False)
    off_diagonal = ~torch.eye(classes, dtype=torch.bool)
    torch.testing.assert_close(inter[off_diagonal], torch.full((20,), -1 / 4, dtype=torch.float64))
    for centred, self_pairs in itertools.product([False, True], repeat=2):
        intra = intra_class_cosine(features, labels, centred=centred, self_pairs=self_pairs)
        torch.testing.assert_close(intra, torch.ones(classes, dtype=torch.float64))
    assert float(ncc_accuracy(features, labels)) == 1
    assert float(within_between_trace_ratio(features, labels)) < 1e-24
    assert float(within_between_pinv_trace(features, labels)) < 1e-24
    assert float(etf_cosine_deviation(class_means(features, labels), centred=False)) < 1e-12
    assert float(within_class_variation(features, labels)) < 1e-12
    assert float(norm_variation(class_means(features, labels), centred=False)) < 1e-12
    assert self_duality_distance(features, labels, simplex(classes, 8)).max() < 1e-12
    duality = self_duality_cosine(features, labels, simplex(classes, 8), centred=False)
    torch.testing.assert_close(duality, torch.ones(classes, dtype=torch.float64))


def test_etf_cosine_deviation_of_orthogonal_and_opposite_vectors():
    assert float(etf_cosine_deviation(torch.eye(4), centred=False)) == pytest.approx(1 / 3)
    assert float(etf_cosine_deviation(torch.tensor([[2.0], [-1.0]]), centred=False)) == pytest.approx(0)
    assert etf_cosine_deviation(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), centred=False).isnan()
    assert etf_cosine_deviation(torch.ones(1, 3), centred=False).isnan()


def test_a_far_origin_does_not_blur_distances():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 5, generator=generator, dtype=torch.float64)
    labels = torch.arange(60) % 3
    near, far = ncc_accuracy(features, labels), ncc_accuracy(features + 1e6, labels)
    assert float(far) == float(near)
    ratio = within_between_trace_ratio(features + 1e6, labels)
    torch.testing.assert_close(ratio, within_between_trace_ratio(features, labels), rtol=1e-6, atol=0)


def test_effective_depth():
    nan = torch.nan
    accuracy = torch.tensor([[0.5, 0.99, 1.0], [nan, 0.5, 0.5], [nan, 1.0, 0.2], [0.99, nan, nan]])
    depth = effective_depth(accuracy, 0.01)
    assert depth.dtype == torch.int64
    assert depth.tolist() == [2, 3, 2, 1]
    assert effective_depth(accuracy.double(), 0.0).tolist() == [3, 3, 2, 3]


@pytest.mark.parametrize("eps", [0.1, 0.05, 0.01, 0.003])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_effective_depth_admits_an_error_equal_to_eps(eps, dtype):
    samples = 10_000
    correct = samples - round(eps * samples)
    accuracy = torch.tensor([correct - 1, correct, samples], dtype=dtype) / samples
    assert int(effective_depth(accuracy, eps)) == 2


def test_operator_norm_of_tall_wide_and_spoilt_matrices():
    draw = torch.Generator().manual_seed(0)
    for shape in ((2, 9, 4), (2, 4, 9)):
        matrix = torch.randn(*shape, generator=draw)
        expected = [np.linalg.svd(m, compute_uv=False)[0] for m in matrix.double().numpy()]
        np.testing.assert_allclose(operator_norm(matrix), expected, rtol=1e-12)
    matrix[0, 1, 1] = torch.inf
    assert operator_norm(matrix).isnan().tolist() == [True, False]
    assert float(operator_norm(torch.zeros(2, 3))) == 0


def test_the_nearest_of_means_of_very_unequal_norms_sample_by_sample():
    """About the global mean, which the many samples of two near classes pull away from a small, far one."""
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1, 2], [40, 40, 3])
    centres = np.array([[0.0, 0.0], [2.0, 0.0], [9.0, 30.0]])
    features = centres[labels] + 1.5 * rng.standard_normal((83, 2))
    means = np.stack([features[labels == c].mean(axis=0) for c in range(3)])
    norms = np.linalg.norm(means - features.mean(axis=0), axis=1)
    assert norms.max() > 10 * norms.min()
    right = np.array([np.argmin(np.linalg.norm(means - h, axis=1)) for h in features]) == labels
    assert 0.5 < right.mean() < 1
    assert float(ncc_accuracy(torch.from_numpy(features), torch.from_numpy(labels))) == pytest.approx(right.mean())

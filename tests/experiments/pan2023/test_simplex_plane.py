"""The simplex plane against numpy, what leaves it as it is, where it is undefined, and that it invents no collapse."""

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from torch import Tensor

from nc_runner import metrics
from nc_runner.experiments.pan2023.simplex_plane import plane_basis, simplex, simplex_plane

SAMPLES, WIDTH = 90, 7


def draws(classes: int, *, trials: int = 2, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Features [T, N, D], labels [N] and weights [T, K, D] with nothing to do with each other."""
    random = torch.Generator().manual_seed(seed)
    features = torch.randn(trials, SAMPLES, WIDTH, generator=random) + 3
    weight = torch.randn(trials, classes, WIDTH, generator=random)
    return features, torch.arange(SAMPLES) % classes, weight


@pytest.mark.parametrize("classes", [3, 4])
def test_the_simplex_is_regular(classes: int) -> None:
    vertices = simplex(classes)
    expected = torch.full((classes, classes), -1 / (classes - 1), dtype=torch.float64).fill_diagonal_(1)
    torch.testing.assert_close(vertices @ vertices.T, expected)


@pytest.mark.parametrize("classes", [3, 4])
def test_coordinates_against_numpy(classes: int) -> None:
    features, labels, weight = draws(classes)
    plane = simplex_plane(features, labels, weight)
    for t in range(len(features)):
        h, w = features[t].double().numpy(), weight[t].double().numpy()
        rows = w - w.mean(0)
        span = np.linalg.svd(rows)[2][: classes - 1].T
        turned = span @ orthogonal_procrustes(rows @ span, simplex(classes).numpy())[0]
        means = np.stack([h[labels.numpy() == c].mean(0) for c in range(classes)])
        centre, length = means.mean(0), np.linalg.norm(means - means.mean(0), axis=1).mean()
        np.testing.assert_allclose(plane.points[t], (h - centre) @ turned / length, atol=1e-9)
        np.testing.assert_allclose(plane.means[t], (means - centre) @ turned / length, atol=1e-9)
        np.testing.assert_allclose(plane.rows[t], rows @ turned / np.linalg.norm(rows, axis=1).mean(), atol=1e-9)
        share = ((h - h.mean(0)) @ turned).var(0).sum() / h.var(0).sum()
        assert plane.variance_fraction[t].item() == pytest.approx(share)


@pytest.mark.parametrize("classes", [3, 4])
def test_turning_moving_and_scaling_features_leaves_the_picture_as_it_is(classes: int) -> None:
    features, labels, weight = (t.double() if t.is_floating_point() else t for t in draws(classes))
    turn = torch.linalg.qr(torch.randn(WIDTH, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))[
        0
    ]
    plane = simplex_plane(features, labels, weight)
    turned = simplex_plane(5 * features @ turn + 2, labels, weight @ turn / 3)
    for name in ("points", "means", "rows", "variance_fraction"):
        torch.testing.assert_close(getattr(turned, name), getattr(plane, name))


def test_frames_do_not_jump_while_weights_move() -> None:
    _, _, weight = draws(3, trials=2)
    mix = torch.linspace(0, 1, 2_001)[:, None, None]
    path = plane_basis((1 - mix) * weight[0] + mix * weight[1])
    step = torch.linalg.matrix_norm(path[1:] - path[:-1])
    assert step.max() < 0.02
    assert step.sum() > 0.5  # the plane did move


def test_an_undefined_plane_is_nan_and_leaves_its_neighbours_alone() -> None:
    features, labels, weight = draws(3, trials=4)
    alone = simplex_plane(features[:1], labels, weight[:1])
    weight[1], weight[2, 1], weight[3] = 0, torch.nan, weight[3, :1]
    plane = simplex_plane(features, labels, weight)
    torch.testing.assert_close(plane.points[:1], alone.points)
    assert plane.points[1:].isnan().all()
    assert plane.variance_fraction[1:].isnan().all()


def test_the_projection_does_not_make_noise_look_collapsed() -> None:
    features, labels, weight = draws(3, trials=20)
    plane = simplex_plane(features, labels, weight)
    ratio = metrics.within_between_trace_ratio(features, labels)
    assert metrics.within_between_trace_ratio(plane.points, labels).median() > 0.5 * ratio.median() > 1


def test_class_means_out_of_the_plane_fall_short() -> None:
    weight = torch.zeros(1, 3, WIDTH)
    weight[0, :, :2] = simplex(3)
    features = torch.zeros(1, 3, WIDTH)
    features[0, :, 2:4] = simplex(3)  # collapsed, a simplex, and at right angles to the classifiers
    plane = simplex_plane(features, torch.arange(3), weight)
    assert plane.means.abs().max() < 1e-6
    assert plane.variance_fraction.item() < 1e-9
    torch.testing.assert_close(plane.rows[0], simplex(3), atol=1e-6, rtol=0)

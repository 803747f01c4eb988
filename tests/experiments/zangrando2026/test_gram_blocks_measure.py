"""What is measured of Gram matrices, by double loops."""

import dataclasses

import numpy as np
import pytest
import torch
from experiments.zangrando2026.gram_block_tables import CONFIG

from nc_runner.config.choices import LossName
from nc_runner.config.schema import DataConfig
from nc_runner.experiments.zangrando2026.gram_blocks.measure import mean_abs_class_cosine, measure, within_block_share
from nc_runner.models import MLP

MEASURED = dataclasses.replace(CONFIG, data=DataConfig(samples=6, dim=3, classes=2))
DRAW = torch.Generator().manual_seed(3)
LABELS = torch.tensor([1, 0, 2, 1, 0, 0, 2])
FEATURES = torch.randn(2, 7, 4, generator=DRAW, dtype=torch.float64) + 0.3


def test_within_block_share_by_double_loop():
    for features, share in zip(FEATURES.numpy(), within_block_share(FEATURES, LABELS).tolist(), strict=True):
        gram = features @ features.T
        left = 0.0
        for i in range(7):
            for j in range(7):
                of_i, of_j = (np.flatnonzero(LABELS.numpy() == LABELS[k].item()) for k in (i, j))
                left += (gram[i, j] - np.mean([gram[a, b] for a in of_i for b in of_j])) ** 2
        assert share == pytest.approx(left / (gram**2).sum(), rel=1e-12)


def test_within_block_share_is_what_block_means_leave_of_the_squared_norm():
    gram, members = FEATURES @ FEATURES.mT, torch.nn.functional.one_hot(LABELS).double()
    members = members / members.sum(0)
    blocks = (members.T @ gram @ members)[:, LABELS][:, :, LABELS]
    left = 1 - blocks.square().sum((1, 2)) / gram.square().sum((1, 2))
    torch.testing.assert_close(within_block_share(FEATURES, LABELS), left)


def test_measures_of_collapsed_features():
    means = torch.tensor([[2.0, 0, 0], [0, 3, 0], [0, 0.8, 0.6]], dtype=torch.float64)
    features = means[LABELS][None]
    assert within_block_share(features, LABELS).item() == pytest.approx(0, abs=1e-30)
    assert mean_abs_class_cosine(features, LABELS).item() == pytest.approx(0.8 / 3)
    assert mean_abs_class_cosine(-features, LABELS).item() == pytest.approx(0.8 / 3)


def test_mean_abs_class_cosine_by_double_loop():
    for features, value in zip(FEATURES.numpy(), mean_abs_class_cosine(FEATURES, LABELS).tolist(), strict=True):
        means = [features[LABELS.numpy() == k].mean(0) for k in range(3)]
        norms = [np.linalg.norm(mean) for mean in means]
        pairs = [abs(means[a] @ means[b]) / norms[a] / norms[b] for a in range(3) for b in range(3) if a != b]
        assert value == pytest.approx(np.mean(pairs), rel=1e-12)


def test_every_product_is_measured_in_the_order_of_the_classes():
    network = MLP(MEASURED.model, 3, 2, [0, 1], device=torch.device("cpu"), loss=LossName.mse)
    network.weight_decay = {name: torch.zeros(2) for name in network.params}
    x, y = torch.randn(6, 3, generator=DRAW), torch.tensor([0, 1, 0, 1, 1, 0])
    of = {(layer, name): value for layer, name, value in measure(network, x, y, MEASURED)}
    order = [0, 2, 5, 1, 3, 4]
    for layer, features in network.features(x):
        for i in range(6):
            for j in range(i, 6):
                product = (features[:, order[i]].double() * features[:, order[j]].double()).sum(-1)
                torch.testing.assert_close(of[layer, f"gram_{i:03d}_{j:03d}"], product)
    assert sum(name.startswith("gram") for _, name in of) == 2 * 6 * 7 // 2

import math

import torch
from torch import Tensor

from nc_runner.experiments.measures import geometry


def data() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(2, 30, 5), torch.arange(30) % 7 % 3


def test_fit_against_a_loop() -> None:
    logits, labels = data()
    logits = logits[..., :3]
    found = dict(geometry.fit(logits, labels))
    for t in range(2):
        losses = [
            -math.log(math.exp(z[y]) / sum(math.exp(v) for v in z))
            for z, y in zip(logits[t].tolist(), labels.tolist(), strict=True)
        ]
        by_class = [[loss for loss, y in zip(losses, labels, strict=True) if y == c] for c in range(3)]
        assert abs(found["loss"][t] - sum(losses) / 30) < 1e-6
        assert abs(found["loss_class_balanced"][t] - sum(sum(c) / len(c) for c in by_class) / 3) < 1e-6
        right = sum(
            max(range(3), key=z.__getitem__) == y for z, y in zip(logits[t].tolist(), labels.tolist(), strict=True)
        )
        assert found["accuracy"][t] == right / 30


def test_fit_of_a_diverged_trial_is_nan_and_its_neighbour_is_not() -> None:
    logits, labels = data()
    logits[1, 4, 2] = math.inf
    for name, value in geometry.fit(logits, labels):
        assert value.isnan().tolist() == [False, True], name


def test_second_moment_against_a_loop() -> None:
    features, labels = data()
    found = dict(geometry.second_moment(features, labels))
    for t in range(2):
        squares = [sum(v * v for v in h) for h in features[t].tolist()]
        by_class = [[s for s, y in zip(squares, labels, strict=True) if y == c] for c in range(3)]
        assert abs(found["feature_second_moment"][t] - sum(squares) / 30) < 1e-6
        assert abs(found["feature_second_moment_class_balanced"][t] - sum(sum(c) / len(c) for c in by_class) / 3) < 1e-6


def test_cosines_take_the_least_and_the_largest() -> None:
    features, labels = data()
    found = dict(geometry.cosines(features, labels))
    unit = torch.nn.functional.normalize(features.double(), dim=-1)
    means = torch.stack([unit[:, labels == c].mean(1) for c in range(3)], 1)
    gram = means @ means.mT
    for t in range(2):
        between = [gram[t, a, b] for a in range(3) for b in range(3) if a != b]
        assert torch.isclose(found["max_inter_cosine_uncentred"][t], max(between))
        assert torch.isclose(found["mean_inter_cosine_uncentred"][t], sum(between) / 6)
        assert torch.isclose(found["min_intra_cosine_uncentred"][t], gram[t].diagonal().min())
    layer = dict(geometry.layer(features, labels))
    assert layer["max_inter_cosine_uncentred"].equal(found["max_inter_cosine_uncentred"])
    assert layer["min_intra_cosine_uncentred"].equal(found["min_intra_cosine_uncentred"])


def test_centred_cosines_leave_out_the_global_mean_and_self_pairs() -> None:
    features, labels = data()
    features += 3.0
    found = dict(geometry.cosines(features, labels))
    for t in range(2):
        unit = torch.nn.functional.normalize(features[t].double() - features[t].double().mean(0), dim=-1)
        own, other = [], []
        for a in range(3):
            rows = unit[labels == a]
            pairs = [float(rows[i] @ rows[j]) for i in range(len(rows)) for j in range(len(rows)) if i != j]
            own.append(sum(pairs) / len(pairs))
            other += [float((rows @ unit[labels == b].mT).mean()) for b in range(3) if b != a]
        assert math.isclose(found["min_intra_cosine_centred"][t], min(own), rel_tol=1e-9)
        assert math.isclose(found["mean_intra_cosine_centred"][t], sum(own) / 3, rel_tol=1e-9)
        assert math.isclose(found["max_inter_cosine_centred"][t], max(other), rel_tol=1e-9)
        assert math.isclose(found["mean_inter_cosine_centred"][t], sum(other) / 6, rel_tol=1e-9)

"""What is measured for Theorem 2.3.1 against its definition, and that its bounds hold near the optimum."""

import dataclasses
import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from nc_runner import theory
from nc_runner.config.schema import Config, DataConfig
from nc_runner.experiments.pan2023.near_optimal.claims import ROUNDING
from nc_runner.experiments.pan2023.near_optimal.measure import measure, theorem


@dataclasses.dataclass
class Network:
    """Features and an output layer, as ``measure`` sees them."""

    h: Tensor
    weight: Tensor
    bias: Tensor | None
    depth: int = 2

    def features(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        yield 1, self.h

    def output_layer(self) -> tuple[Tensor, Tensor | None]:
        return self.weight, self.bias


def measured(network: Network, y: Tensor, classes: int = 3) -> dict[str, Tensor]:
    config = Config(data=DataConfig(classes=classes))
    return {name: value for _, name, value in measure(network, torch.empty(0), y, config)}  # type: ignore[arg-type]


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(torch.randn(2, 6, 4) + 1, torch.randn(2, 3, 4), torch.randn(2, 3))


Y = torch.tensor([0, 0, 0, 1, 1, 2])


def members(c: int) -> Tensor:
    return torch.eq(Y, c)


def test_unequal_classes_are_measured_as_if_their_samples_were_repeated(network: Network) -> None:
    uneven = measured(network, Y)
    repeated = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5])  # 6 samples a class
    even = measured(dataclasses.replace(network, h=network.h[:, repeated]), Y[repeated])
    for name in ("alpha", "beta", "eps", "min_intra_cosine_augmented", "max_inter_cosine_augmented", "vacuous_eps"):
        torch.testing.assert_close(uneven[name], even[name], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(even["loss"], even["loss_class_balanced"], rtol=1e-12, atol=0)
    assert not torch.allclose(uneven["loss"], uneven["loss_class_balanced"])


def test_the_bias_is_one_more_feature_at_the_scale_that_makes_alpha_beta_least(network: Network) -> None:
    of = measured(network, Y)
    assert network.bias is not None
    h, w, b = network.h.double(), network.weight.double(), network.bias.double()
    share = (1 / Y.bincount().double() / 3)[Y]  # every class weighs a third

    def product(s: Tensor) -> Tensor:
        alpha_squared = (share * (h.square().sum(-1) + s[:, None] ** 2)).sum(-1)
        beta_squared = (w.square().sum((-2, -1)) + (b / s[:, None]).square().sum(-1)) / 3
        return (alpha_squared * beta_squared).sqrt()

    s = of["appended_feature"]
    torch.testing.assert_close(of["alpha"] * of["beta"], product(s), rtol=1e-12, atol=0)
    for other in (0.5, 0.9, 1.1, 2.0):
        assert (product(other * s) > product(s)).all()
    augmented = torch.cat([h, s[:, None, None].expand(-1, 6, 1)], -1)
    torch.testing.assert_close(
        augmented @ torch.cat([w, b[..., None] / s[:, None, None]], -1).mT, h @ w.mT + b[:, None]
    )
    u = augmented / augmented.norm(dim=-1, keepdim=True)
    means = torch.stack([u[:, members(c)].mean(1) for c in range(3)], 1)
    torch.testing.assert_close(of["min_intra_cosine_augmented"], means.square().sum(-1).amin(-1))
    ordered = torch.stack([of[f"intra_cosine_augmented_{k}"] for k in (1, 2, 3)], -1)
    torch.testing.assert_close(ordered, means.square().sum(-1).sort(-1).values)
    flipped = dataclasses.replace(network, weight=network.weight.flip(1), bias=network.bias.flip(1))
    for k in (1, 2, 3):  # the same classes in the opposite order
        torch.testing.assert_close(measured(flipped, 2 - Y)[f"intra_cosine_augmented_{k}"], ordered[:, k - 1])
    largest = torch.stack([(means[:, i] * means[:, j]).sum(-1) for i, j in ((0, 1), (0, 2), (1, 2))]).amax(0)
    torch.testing.assert_close(of["max_inter_cosine_augmented"], largest)


def test_without_a_bias_nothing_is_appended(network: Network) -> None:
    of = measured(dataclasses.replace(network, bias=None), Y)
    assert (of["appended_feature"] == 0).all()
    for name in ("min_intra_cosine", "max_inter_cosine"):
        assert torch.equal(of[f"{name}_augmented"], of[f"{name}_uncentred"])
    torch.testing.assert_close(of["beta"], network.weight.double().norm(dim=(-2, -1)) / 3**0.5)


def test_a_dead_or_diverged_network_and_two_classes_are_undefined_and_no_error(network: Network) -> None:
    network.h[0], network.weight[1, 0, 0] = 0.0, torch.inf
    of = measured(dataclasses.replace(network, bias=None), Y)
    for name in ("eps", "intra_cosine_lower_bound", "vacuous_eps"):
        assert of[name].isnan().all()
    two = measured(Network(torch.randn(1, 4, 3), torch.randn(1, 2, 3), None), torch.tensor([0, 0, 1, 1]), classes=2)
    assert two["eps"].isnan().all()
    assert two["loss"].isfinite().all()


def test_the_bound_is_the_theorem_s_at_a_loss_higher_by_the_rounding() -> None:
    alpha, beta = torch.tensor([2.0], dtype=torch.float64), torch.tensor([0.5], dtype=torch.float64)
    eps = 1e-6
    of = dict(theorem(alpha, beta, theory.min_cross_entropy(alpha, beta, 4) + eps, 4))
    end = math.exp(4) * 3  # Lam = 3 e^4 / (1 + 3 e^4)^2, and delta = 1/4
    curvature = end / (1 + end) ** 2
    expected = 1 - 8 * 3 / 4 * math.sqrt(2 * (eps + ROUNDING) * 0.75 / (curvature * 0.25))
    assert of["intra_cosine_lower_bound"].item() == pytest.approx(expected, rel=1e-6)
    assert of["eps"].item() == pytest.approx(eps, rel=1e-9)


def test_the_least_duality_is_of_rows_and_mean_unit_features(network: Network) -> None:
    of = measured(network, Y)
    assert network.bias is not None
    h, w, s = network.h.double(), network.weight.double(), of["appended_feature"]
    whole = torch.cat([h, s[:, None, None].expand(-1, 6, 1)], -1)
    rows = torch.cat([w, (network.bias.double() / s[:, None])[..., None]], -1)
    unit = whole / whole.norm(dim=-1, keepdim=True)
    cosines = [torch.cosine_similarity(rows[:, c], unit[:, members(c)].mean(1), dim=-1) for c in range(3)]
    torch.testing.assert_close(of["min_duality_cosine_augmented"], torch.stack(cosines).amin(0))


def test_the_nc3_bound_holds_near_the_optimum() -> None:
    """Classifiers and features about a simplex ETF, moved by little and by more: wherever the bound bites."""
    bites = 0
    for seed in range(200):
        random = torch.Generator().manual_seed(seed)
        etf = torch.eye(4, dtype=torch.float64) - 0.25
        etf = etf / etf.norm(dim=-1, keepdim=True)
        size = 10 ** (-1 - 4 * torch.rand(1, generator=random).item())
        y = torch.arange(4).repeat(5)
        h = etf[y] + size * torch.randn(20, 4, dtype=torch.float64, generator=random)
        w = etf + size * torch.randn(4, 4, dtype=torch.float64, generator=random)
        scale = 0.5 + 1.5 * torch.rand(1, generator=random).item()
        of = measured(Network(scale * h[None], w[None], None), y, classes=4)
        distance = 1 - of["intra_cosine_lower_bound"].item()
        if distance / 4 < 1:
            bites += 1
            assert 1 - of["min_duality_cosine_augmented"].item() <= distance / 4 + ROUNDING
    assert bites > 50


def test_the_sharper_bounds_are_measured_a_little_above_the_loss(network: Network) -> None:
    alpha, beta, loss = (torch.tensor([v], dtype=torch.float64) for v in (1.5, 1.0, 0.4))
    of = dict(theorem(alpha, beta, loss, 4))
    for k in range(1, 5):
        bounds = theory.sharper_near_optimal_bounds(1.5, 1.0, 0.4 + ROUNDING, 4, k / 4)
        assert of[f"sharper_intra_lower_bound_{k}"].item() == pytest.approx(bounds.intra_class_lower_bound.item())
        assert of["sharper_inter_upper_bound"].item() == pytest.approx(bounds.inter_class_upper_bound.item())

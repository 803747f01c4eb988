"""What is measured for Theorem 2.3.1 against its definition; each claim on tables made so that it holds or fails; what
is plotted of them."""

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from nc_runner import theory
from nc_runner.config.schema import Config, DataConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.pan2023.near_optimal.claims import ROUNDING, claims, slope
from nc_runner.experiments.pan2023.near_optimal.figures import figures
from nc_runner.experiments.pan2023.near_optimal.measure import measure, theorem
from nc_runner.figures.drawing import Drawing

Draw = Callable[..., dict[str, Drawing]]

FREE = {1.0: 1e-12, 2.0: 1e-12}  # alpha beta, and the eps a descent ends at


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


def results(*, networks: bool = True, free: bool = True, **changes: float) -> Results:
    """A table on which every claim holds; ``kind__metric=value`` sets it at the last epoch, of all of that kind."""
    points: list[tuple[str, float, float, float, float]] = []
    if networks:
        points += [("mlp", decay, norms, 1e-2, 0.1) for decay, norms in ((1e-3, 7.0), (1e-2, 4.0))]
    if free:
        points += [("free_features", 0.0, norms, last, last) for norms, last in FREE.items()]
    trials, rows = [], []
    for kind, decay, norms, last_eps, last_gap in points:
        name = f"{kind}-{norms}"
        for epoch in range(1, 9):
            share = (epoch - 1) / 7
            eps, gap = last_eps**share, last_gap**share
            of = dict(theorem(torch.tensor([norms]), torch.tensor([1.0]), torch.tensor([eps]).double(), 4))
            vacuous = of["vacuous_eps"].item()
            metrics = {
                "alpha": norms, "beta": 1.0, "eps": eps, "vacuous_eps": vacuous, "loss": eps, "accuracy": 1.0,
                "intra_cosine_lower_bound": 1 - (eps / vacuous) ** 0.5, "min_intra_cosine_augmented": 1 - gap,
                "max_inter_cosine_augmented": gap**0.5 - 1 / 3,
            }  # fmt: skip
            for change, value in changes.items():
                if change.split("__")[0] == kind and epoch == 8:
                    metrics[change.split("__")[1]] = value
            rows += [[name, epoch, None, metric, value] for metric, value in metrics.items()]
        trials.append([name, "interpolated", 0, kind, decay])
    columns = ["id", "status", "seed", "model.name", "train.weight_decay"]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    return Results(Config(), pd.DataFrame(trials, columns=columns), table)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(results()).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("least_cross_entropy", {"mlp__eps": -1e-9}),
        ("bound_holds", {"free_features__min_intra_cosine_augmented": 0.9}),
        ("vacuous_for_networks", {"mlp__vacuous_eps": 1.0}),
        ("collapse_with_eps", {"free_features__min_intra_cosine_augmented": 0.0}),
        ("collapse_with_eps", {"free_features__max_inter_cosine_augmented": 1.0}),
    ],
)
def test_each_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(results(**changes))[claim] is Verdict.not_reproduced


def test_nothing_is_decided_of_what_was_not_measured() -> None:
    without_free = verdicts(results(free=False))
    assert without_free.pop("bound_holds") is Verdict.undecided  # vacuous at every point
    assert without_free.pop("collapse_with_eps") is Verdict.undecided
    assert set(without_free.values()) == {Verdict.reproduced}
    assert verdicts(results(networks=False))["vacuous_for_networks"] is Verdict.undecided


def test_nothing_is_decided_or_drawn_where_the_theorem_is_undefined(draw: Draw) -> None:
    table = results()
    undefined = table.metrics["metric"].isin(["eps", "intra_cosine_lower_bound", "vacuous_eps"])
    table.metrics.loc[undefined, "value"] = math.nan
    assert set(verdicts(table).values()) == {Verdict.undecided}
    for drawing in draw(figures, table).values():
        assert any(text.get_text() == "no trial has a defined ε" for text in drawing.figure.axes[0].texts)


def test_slope_is_the_power_and_needs_a_range() -> None:
    eps = pd.Series([1e-1, 1e-4, 1e-6, 1e-9, 1e-15])
    rows = pd.DataFrame({"eps": eps, "gap": 7 * eps**0.7})
    rows.loc[[0, 4], "gap"] = 1.0  # outside of what is fitted
    assert slope(rows, "gap") == pytest.approx(0.7)
    assert math.isnan(slope(rows.iloc[:3], "gap"))
    assert math.isnan(slope(rows[rows["eps"] > 1e-5], "gap"))


@pytest.mark.parametrize("kinds", [{}, {"free": False}, {"networks": False}])
def test_collapse_is_drawn_against_eps_of_whatever_was_measured(kinds: dict[str, bool], draw: Draw) -> None:
    """Of a made table 1 - min intra is eps^(gap exponent); the squares are its last rows."""
    intra, inter = draw(figures, results(**kinds))["theorem_2_3_1"].figure.axes
    share = np.arange(8) / 7
    for ax, exponent in ((intra, 1.0), (inter, 0.5)):
        drawn = {line.get_label(): line for line in ax.get_lines()}
        for label in [f"αβ = {norms:g}" for norms in FREE] * kinds.get("free", True):
            np.testing.assert_allclose(drawn[label].get_xdata(), 1e-12**share, rtol=1e-6)
            np.testing.assert_allclose(drawn[label].get_ydata(), 1e-12 ** (exponent * share), rtol=1e-3)
        for label in ["λ = 0.001", "λ = 0.01"] * kinds.get("networks", True):
            assert drawn[label].get_xdata().tolist() == pytest.approx([1e-2])
            assert drawn[label].get_ydata().tolist() == pytest.approx([0.1**exponent])
        assert ("before the last epoch" in drawn) == kinds.get("networks", True)


def test_a_bound_ends_where_the_theorem_is_vacuous(draw: Draw) -> None:
    intra = draw(figures, results())["theorem_2_3_1"].figure.axes[0]
    dashed = [line for line in intra.get_lines() if line.is_dashed() and len(line.get_xdata())]
    for line, norms in zip(dashed, FREE, strict=True):
        curve = 3 * math.exp(4 * norms) / (1 + 3 * math.exp(4 * norms)) ** 2
        end = (4 * norms / 24) ** 2 * curve / 6  # where 8 (3 / (4 norms)) sqrt(2 eps 3 / curve) = 1
        assert line.get_xdata()[1] == pytest.approx(end)
        assert line.get_ydata()[1] == 1
        assert line.get_ydata()[0] == pytest.approx((ROUNDING / end) ** 0.5)


def test_the_eps_needed_is_drawn_under_the_eps_reached(draw: Draw) -> None:
    (ax,) = draw(figures, results())["eps_needed"].figure.axes
    drawn = {line.get_label(): line for line in ax.get_lines()}
    needed = drawn["ε at which the bound becomes vacuous"]
    norms = np.asarray(needed.get_xdata())
    curve = 3 * np.exp(4 * norms) / (1 + 3 * np.exp(4 * norms)) ** 2
    np.testing.assert_allclose(needed.get_ydata(), (norms / 6) ** 2 * curve / 6)
    assert (drawn["λ = 0.001"].get_xdata(), drawn["λ = 0.001"].get_ydata()) == ([7.0], [pytest.approx(1e-2)])
    arrows = [np.stack(line.get_data(), 1) for line in ax.get_lines() if line.get_marker() == "v"]
    for arrow, (held, last) in zip(arrows, FREE.items(), strict=True):
        np.testing.assert_allclose(arrow, [[held, 1.0], [held, last]])
    orders = math.log10(1e-2 / np.interp(4.0, norms, needed.get_ydata()))
    said = [text.get_text() for text in ax.texts]
    assert f"nearest network: {orders:.1f} orders of magnitude above" in said
    assert "rounding in float64" in said

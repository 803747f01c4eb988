"""Each claim of Figure 3.1 on tables made so that it holds, fails, or cannot be decided; what is plotted of them."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from tables import make_results

from nc_runner import theory
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.pan2023.bn_wd_sweep.claims import claims
from nc_runner.experiments.pan2023.bn_wd_sweep.figures import figures
from nc_runner.figures.drawing import Drawing

DECAYS = [1e-3, 3e-3, 5e-3, 7e-3, 1e-2]


def results(**changes: dict[float, float] | float | str) -> Results:
    """A table on which every claim holds; ``norm__metric=value`` or ``{weight decay: value}`` changes it."""
    trials, rows = [], []
    for norm, level, slope in (("affine", 1.0, 20.0), ("plain", 0.8, 10.0), ("none", 0.6, -10.0)):
        for decay in DECAYS:
            name = f"{norm}-{decay}"
            failed = norm == "none" and decay > 5e-3
            squared_norm, moment = 4.0 + 100 * decay, 4.0 + 100 * decay
            bound = float(theory.min_cross_entropy(math.sqrt(moment + 1), math.sqrt(squared_norm / 4), 4))
            metrics: dict[str, float] = {
                "min_intra_cosine_uncentred": level + slope * decay,
                "max_inter_cosine_uncentred": 0.0,
                "min_intra_cosine_centred": level + slope * decay - 0.2,
                "max_inter_cosine_centred": -10 * decay,
                "loss": 1.01 * bound,
                "loss_class_balanced": 1.01 * bound,
                "accuracy": 0.9 if failed else 1.0,
                "feature_second_moment": moment,
                "feature_second_moment_class_balanced": moment,
                "feature_second_moment_batch": moment,
                "gamma_squared_norm": moment - 1,
                "gamma_squared_norm_with_eps": moment - 1,
                "beta_squared_norm": 1.0,
                "weight_squared_norm": squared_norm,
                "bias_squared_norm": 0.0,
            }
            status = "underfit" if failed else "interpolated"
            for change, value in changes.items():
                of_norm, metric = change.split("__")
                if of_norm == norm and (not isinstance(value, dict) or decay in value):
                    new = value[decay] if isinstance(value, dict) else value
                    if metric == "status":
                        status = str(new)
                    else:
                        metrics[metric] = float(new)
            accuracy = metrics["accuracy"]
            trials.append([name, status, 0, norm, decay, 300, metrics["loss"], accuracy])
            rows += [[name, 300, None, metric, value] for metric, value in metrics.items()]
    return make_results(Config(), ["model.norm", "train.weight_decay"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_every_claim_holds_where_it_should() -> None:
    assert set(verdicts(results()).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("growth", {"affine__min_intra_cosine_uncentred": {1e-3: 1.3}}),
        ("batch_norm_order", {"plain__min_intra_cosine_uncentred": {5e-3: 1.2}}),
        ("batch_norm_order", {"none__min_intra_cosine_uncentred": {1e-3: 0.9}}),
        ("no_batch_norm_worsens", {"none__min_intra_cosine_uncentred": {5e-3: 0.7}}),
        ("no_batch_norm_fails", {"none__status": {7e-3: "interpolated"}}),
        ("cross_entropy_bound", {"plain__loss_class_balanced": {1e-2: 1e-4}}),
        ("feature_norm", {"affine__feature_second_moment_batch": {1e-2: 4.9}}),
        ("stationarity", {"affine__weight_squared_norm": {1e-2: 5.2}}),
    ],
)
def test_a_claim_fails_where_it_should(claim: str, changes: dict[str, dict[float, float]]) -> None:
    assert verdicts(results(**changes))[claim] is Verdict.not_reproduced


def test_one_seed_cannot_refuse_a_dip_in_the_growth() -> None:
    assert verdicts(results(affine__min_intra_cosine_uncentred={5e-3: 0.9}))["growth"] is Verdict.undecided


def test_nothing_is_decided_where_nothing_fits() -> None:
    judged = verdicts(results(affine__status="underfit", plain__status="underfit", none__status="underfit"))
    assert judged.pop("feature_norm") is Verdict.reproduced  # holds for any network, fitted or not
    assert set(judged.values()) == {Verdict.undecided}


def test_final_takes_the_last_epoch_of_each_trial_and_metric() -> None:
    trials = pd.DataFrame({"id": ["a", "b"], "status": ["interpolated", "unfinished"]})
    rows = [["a", 1, None, "loss", 5.0], ["a", 2, None, "loss", 3.0], ["a", 2, 1, "gap", 0.1], ["a", 2, 2, "gap", 0.2]]
    table = pd.DataFrame(rows, columns=["trial", "epoch", "layer", "metric", "value"]).astype({"layer": "Int64"})
    final = Results(Config(), trials, table).final()
    assert final.to_dict("records") == [{"id": "a", "status": "interpolated", "gap": 0.2, "loss": 3.0}]
    assert torch.tensor(final["loss"].to_numpy(copy=True)).item() == 3.0


Draw = Callable[..., dict[str, Drawing]]


@pytest.mark.parametrize(("name", "convention"), [("figure_3_1", "uncentred"), ("figure_3_1_centred", "centred")])
def test_the_lines_are_the_cosines_of_the_trials_that_fit(name: str, convention: str, draw: Draw) -> None:
    table = results()
    final = table.final()
    panels = draw(figures, table)[name].figure.axes
    for ax, norm in zip(panels, ("affine", "plain", "none"), strict=True):
        kept = final[(final["model.norm"] == norm) & (final["status"] == "interpolated")]
        for line, metric in zip(ax.get_lines(), ("min_intra_cosine", "max_inter_cosine"), strict=False):
            assert line.get_xdata().tolist() == kept["train.weight_decay"].tolist()
            assert line.get_ydata().tolist() == kept[f"{metric}_{convention}"].tolist()
        assert ax.get_lines()[2].get_ydata() == [-1 / 3, -1 / 3]  # dashed
    assert len(panels[2].get_lines()[0].get_xdata()) == 3
    assert "λ = 0.007: 0.9000\nλ = 0.01: 0.9000" in panels[2].texts[0].get_text()


def test_several_seeds_are_a_mean_and_a_band(draw: Draw) -> None:
    one, other = results(), results(affine__min_intra_cosine_uncentred=0.5)
    trials = pd.concat([one.trials, other.trials.assign(id="b" + other.trials["id"], seed=1)], ignore_index=True)
    rows = pd.concat([one.metrics, other.metrics.assign(trial="b" + other.metrics["trial"])], ignore_index=True)
    drawing = draw(figures, Results(Config(), trials, rows))["figure_3_1"]
    ax = drawing.figure.axes[0]
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), [(1.5 + 20 * decay) / 2 for decay in DECAYS])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0.5, pytest.approx(1.2))
    assert "band over 2 seeds" in drawing.caption


def test_points_are_the_networks_and_lines_the_closed_form(draw: Draw) -> None:
    table = results(plain__loss=0.25)
    kept = table.final().query("status == 'interpolated'")
    norms, losses = draw(figures, table)["layer_peeled_optimum"].figure.axes
    drawn = {line.get_label(): line for line in norms.get_lines()}
    affine = kept[kept["model.norm"] == "affine"]
    for label, values in (
        ("affine: ‖W‖²", affine["weight_squared_norm"]),
        ("affine: ‖γ‖² + ‖β‖²", affine["gamma_squared_norm"] + affine["beta_squared_norm"]),
        ("plain: ‖W‖²", kept.loc[kept["model.norm"] == "plain", "weight_squared_norm"]),
    ):
        assert drawn[label].get_xdata().tolist() == DECAYS
        assert drawn[label].get_ydata().tolist() == values.tolist()
    decay = np.asarray(drawn["affine, optimum"].get_xdata())
    np.testing.assert_allclose(drawn["affine, optimum"].get_ydata(), 1.5 * np.log(2 / decay - 3))
    loss = {line.get_label(): np.asarray(line.get_ydata()) for line in losses.get_lines()}
    assert loss["affine"].tolist() == affine["loss"].tolist()
    assert set(loss["plain"]) == {0.25}
    np.testing.assert_allclose(loss["affine, optimum"], -np.log(1 - 1.5 * decay))
    # Of plain BatchNorm: the gap z from the loss solves the equation of the notes, and gives the norm.
    gap = -np.log(np.expm1(loss["plain, optimum"]) / 3)
    np.testing.assert_allclose(1 / (np.exp(gap) + 3), decay * 3 * gap / (4 * 200))
    np.testing.assert_allclose(drawn["plain, optimum"].get_ydata(), gap**2 * 9 / (4 * 200))


def test_axes_without_a_trial_that_fits_say_so(draw: Draw) -> None:
    drawings = draw(figures, results(affine__status="underfit", plain__status="underfit", none__status="underfit"))
    for drawing in drawings.values():
        for ax in drawing.figure.axes:
            assert any("reaches\ntraining accuracy 0.999" in text.get_text() for text in ax.texts)

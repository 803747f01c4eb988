"""Figure 3.1 and the closed forms of the layer-peeled model as they are drawn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from experiments.pan2023.made import DECAYS, WD, sweep

from nc_runner.experiments.pan2023.bn_wd_sweep.figures import figures
from nc_runner.figures.drawing import Drawing

Draw = Callable[..., dict[str, Drawing]]


@pytest.mark.parametrize(("name", "convention"), [("figure_3_1", "uncentred"), ("figure_3_1_centred", "centred")])
def test_the_lines_are_the_cosines_of_the_trials_that_fit(name: str, convention: str, draw: Draw) -> None:
    table = sweep(seeds=1)
    final = table.final()
    panels = draw(figures, table)[name].figure.axes
    for ax, norm in zip(panels, ("affine", "plain", "none"), strict=True):
        kept = final[(final["model.norm"] == norm) & (final["status"] == "interpolated")]
        for line, metric in zip(ax.get_lines(), ("min_intra_cosine", "max_inter_cosine"), strict=False):
            assert line.get_xdata().tolist() == kept[WD].tolist()
            assert line.get_ydata().tolist() == kept[f"{metric}_{convention}"].tolist()
        assert ax.get_lines()[2].get_ydata() == [-1 / 3, -1 / 3]  # dashed
    assert len(panels[2].get_lines()[0].get_xdata()) == 6
    assert "λ = 0.007: 0.9000\nλ = 0.01: 0.9000" in panels[2].get_xlabel()


def test_several_seeds_are_a_mean_and_a_band(draw: Draw) -> None:
    def apart(point: dict[str, Any], metrics: dict[str, float]) -> None:
        metrics["min_intra_cosine_uncentred"] = [0.5, 1.0 + 20 * point[WD]][point["seed"]]

    drawing = draw(figures, sweep(apart, seeds=2))["figure_3_1"]
    ax = drawing.figure.axes[0]
    np.testing.assert_allclose(ax.get_lines()[0].get_ydata(), [(1.5 + 20 * decay) / 2 for decay in DECAYS])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0.5, pytest.approx(1.2))
    assert "band over 2 seeds" in drawing.caption


def test_points_are_the_networks_and_lines_the_closed_form(draw: Draw) -> None:
    table = sweep(lambda point, metrics: metrics.update(loss=0.25) if point["model.norm"] == "plain" else None, seeds=1)
    kept = table.final().query("status == 'interpolated'")
    norms, losses = draw(figures, table)["layer_peeled_optimum"].figure.axes
    drawn = {line.get_label(): line for line in norms.get_lines()}
    affine = kept[kept["model.norm"] == "affine"]
    for label, values in (
        ("affine: ‖W‖²", affine["weight_squared_norm"]),
        ("affine: ‖γ‖² + ‖β‖²", affine["gamma_squared_norm"] + affine["beta_squared_norm"]),
        ("plain: ‖W‖²", kept.loc[kept["model.norm"] == "plain", "weight_squared_norm"]),
    ):
        assert drawn[label].get_xdata().tolist() == list(DECAYS)
        assert drawn[label].get_ydata().tolist() == values.tolist()
    decay = np.asarray(drawn["affine: least loss + penalty"].get_xdata())
    np.testing.assert_allclose(drawn["affine: least loss + penalty"].get_ydata(), 1.5 * np.log(2 / decay - 3))
    affine_loss, plain_loss, affine_least, plain_least = (np.asarray(line.get_ydata()) for line in losses.get_lines())
    assert affine_loss.tolist() == affine["loss"].tolist()
    assert set(plain_loss) == {0.25}
    np.testing.assert_allclose(affine_least, -np.log(1 - 1.5 * decay))
    # Of plain BatchNorm: the gap z from the loss solves the equation of the notes, and gives the norm.
    gap = -np.log(np.expm1(plain_least) / 3)
    np.testing.assert_allclose(1 / (np.exp(gap) + 3), decay * 3 * gap / (4 * 200))
    np.testing.assert_allclose(drawn["plain: least loss + penalty"].get_ydata(), gap**2 * 9 / (4 * 200))


def test_axes_without_a_trial_that_fits_say_so(draw: Draw) -> None:
    drawings = draw(figures, sweep(lambda point, metrics: point.update(status="underfit"), seeds=1))
    for drawing in drawings.values():
        for ax in drawing.figure.axes:
            assert any("reaches\ntraining accuracy 0.999" in text.get_text() for text in ax.texts)

"""Panels over epochs and slopes against either clock, as they are drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from experiments.ji2022.unregularized_tables import CELLS, results, verdicts

from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.ji2022.laws import STATEMENTS
from nc_runner.experiments.ji2022.terminal import by_time, slopes
from nc_runner.experiments.ji2022.unregularized_collapse.figures import CURVES, figures
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit


def test_networks_that_diverge_or_have_not_ended_leave_everything_undecided_and_still_draw() -> None:
    of = results(seeds=2)
    of.trials["status"] = ["diverged"] * 3 + ["unfinished"] * 3
    assert set(verdicts(of).values()) == {Verdict.undecided}
    (drawing,) = figures(of).values()
    assert all(ax.texts[0].get_text().startswith("no slope") for ax in drawing.figure.axes)
    of.trials["status"] = "unfinished"
    assert set(verdicts(of).values()) == {Verdict.undecided}
    plt.close("all")


@pytest.mark.parametrize("changes", [{}, {"start": 10_000, "end": 1}])
def test_whatever_was_measured_is_drawn_over_a_short_caption(changes: dict[str, int]) -> None:
    drawings = figures(results(**changes))
    assert set(drawings) == {"panels_resnet18", "panels_vgg13", "slopes"}
    assert [len(drawings[f"panels_{model}"].figure.axes) for model in ("resnet18", "vgg13")] == [8, 4]
    for drawing in drawings.values():
        assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
        plt.close(drawing.figure)
    if changes:
        said = [text.get_text() for text in drawings["panels_vgg13"].figure.axes[1].texts]
        assert said == ["no probe from epoch 2 on"]


def test_all_cells_of_the_paper_are_named_and_those_without_images_say_so() -> None:
    sets = [("mnist", "train"), ("cifar10", "train"), ("kmnist", "test")]
    of = results(cells=[(model, *data) for model in ("resnet18", "vgg13") for data in sets])
    drawings = figures(of)
    for model, figure in (("ResNet18", "Figure 1"), ("VGG13", "Figure 4")):
        drawing = drawings[f"panels_{model.lower()}"]
        axes = np.array(drawing.figure.axes).reshape(4, 4)
        names = [ax.get_ylabel().splitlines()[0] for ax in axes[:, 0]]
        assert names == [f"{model}, {data}" for data in ("MNIST", "CIFAR-10", "KMNIST test", "FashionMNIST")]
        assert axes[0, 0].get_ylabel().splitlines()[1] == f"(the paper's {figure})"
        assert [[text.get_text() for text in ax.texts] for ax in axes[3]] == [["no images"]] * 4
        assert not any(ax.texts for ax in axes[:3].flat)
        assert all(len(ax.lines) for ax in axes[2])
        assert all(ax.get_xlim() == pytest.approx(np.log([2, 300])) for ax in axes.flat)
        assert all(ax.get_legend() for ax in axes[3])
        assert drawing.caption.endswith("FashionMNIST: the images are not there.")
        assert "KMNIST test: trained on the images of its test split." in drawing.notes
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    assert drawings["panels_vgg13"].figure.axes[8].get_ylabel().splitlines()[1] == "(the paper's Figure 5)"
    one = figures(of.only(of.trials["data.name"] == "kmnist"))["panels_vgg13"]  # chosen, so nothing lacks
    assert len(one.figure.axes) == 4
    assert "not there" not in one.caption
    plt.close("all")


def test_panels_are_the_measures_over_epochs_and_guides_powers_of_log_t() -> None:
    of = results(seeds=2)
    ax = figures(of)["panels_vgg13"].figure.axes[3]
    rows = by_time(of).query("`model.name` == 'vgg13' and epoch >= 2")
    curve, *guides = ax.lines
    epochs = np.array(sorted(rows["epoch"].unique()))
    np.testing.assert_allclose(curve.get_xdata(), np.log(epochs), rtol=1e-9)
    np.testing.assert_allclose(curve.get_ydata(), np.sqrt(0.2 * 0.19) * 2 / np.log(epochs))  # of seeds 0 and 1
    terminal = rows.query("epoch >= 10 and trial == 'vgg13-cifar10-0'")
    for guide, power, factor in zip(guides, (-1, -0.5), (0.6, 1.6), strict=True):
        grown = terminal["log_t"] / terminal["log_t"].iloc[0]
        np.testing.assert_allclose(guide.get_xdata(), terminal["log_epoch"])
        np.testing.assert_allclose(guide.get_ydata(), factor * 0.4 / np.log(10) * grown**power)
    plt.close("all")


def test_the_phase_begins_with_the_last_seed_s_and_guides_enclose_the_curves() -> None:
    """Seed 1 fits from epoch 50 on, the others from 10; class means are a tenth of what classifiers are."""
    of = results(seeds=3)
    late = (
        (of.metrics["trial"] == "vgg13-cifar10-1") & (of.metrics["metric"] == "accuracy") & (of.metrics["epoch"] < 50)
    )
    value = of.metrics["value"].mask(late, 0.9)
    value = value.where(of.metrics["metric"] != STATEMENTS["class_mean_norms"][1], value / 10)
    of = Results(of.config, of.trials, of.metrics.assign(value=value))
    ax = figures(of)["panels_vgg13"].figure.axes[0]
    first = min(epoch for epoch in of.metrics["epoch"].unique() if epoch >= 50)
    (shade,) = [patch for patch in ax.patches if patch.get_zorder() == 0]
    assert shade.get_x() == pytest.approx(np.log(first))
    *curves, under, over = ax.lines
    starts = [curve.get_ydata()[np.argmin(np.abs(curve.get_xdata() - under.get_xdata()[0]))] for curve in curves]
    assert under.get_ydata()[0] < min(starts)
    assert over.get_ydata()[0] > max(starts)
    plt.close("all")


def test_markers_are_the_mean_slopes_of_each_cell_against_either_clock() -> None:
    """Seed 1 falls by a power 1.1 times as large."""
    of = results(self_duality_distance=-0.3)
    powers = of.metrics["trial"].str.endswith("-1") & of.metrics["metric"].isin([m for _, m, _ in STATEMENTS.values()])
    value = of.metrics["value"].mask(powers, of.metrics["value"] ** 1.1)
    of = Results(of.config, of.trials, of.metrics.assign(value=value))
    table = by_time(of)
    for ax, clock in zip(figures(of)["slopes"].figure.axes, ("log_epoch", "log_t"), strict=True):
        drawn = [line.get_xdata()[0] for line in ax.lines if line.get_marker() != "None"]
        measured = [(STATEMENTS[curve][1], cell) for curve in CURVES for cell in CELLS]
        expected = [
            np.mean(slopes(table[(table["model.name"] == model) & (table["data.name"] == data)], metric, clock))
            for metric, (model, data, _) in measured
        ]
        np.testing.assert_allclose(drawn, expected)
        bars = [line.get_xdata() for line in ax.lines if line.get_marker() == "None"][: len(expected)]
        for bar, metric, cell in zip(bars, *zip(*measured, strict=True), strict=True):
            of_cell = slopes(table[(table["model.name"] == cell[0]) & (table["data.name"] == cell[1])], metric, clock)
            np.testing.assert_allclose(bar, [min(of_cell), max(of_cell)])
        assert sorted(line.get_xdata()[0] for line in ax.lines[-3:]) == [-1, -0.5, 0]
        assert drawn[-1] > -0.5 > drawn[-2]  # the last cell's self-duality falls more slowly
    plt.close("all")

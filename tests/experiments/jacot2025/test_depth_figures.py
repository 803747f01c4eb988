"""The figure on the number of linear layers as it is drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from experiments.jacot2025.depth_tables import NC2, OLD_RESNET, RESNET, linear, verdicts

from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import depth
from nc_runner.figures.drawing import CAPTION_LINES, Drawing
from nc_runner.figures.fit import fit


def drawn(table: Results) -> Drawing:
    return depth.figures(table)["figure_2"]


@pytest.mark.parametrize("words", [("experiment=linear_head_depth",), RESNET, OLD_RESNET])
def test_the_panels_show_both_ends_of_the_head_and_the_dashes_a_balanced_one(words: tuple[str, ...]) -> None:
    drawing = drawn(linear(nc1=1.1, balanced=1.5, words=words))
    layers = np.arange(1, 6 if words == ("experiment=linear_head_depth",) else 7)
    whole = 20 * (1 + 0.05 * layers)
    expected = (0.01 * 1.1**layers, 0.01 * 1.1**layers, whole ** (1 / layers), whole)
    for ax, values in zip(drawing.figure.axes, expected, strict=True):
        solid = [line for line in ax.lines if line.get_linestyle() == "-"]
        assert [line.get_label() for line in solid] == ["weight decay 0.001", "weight decay 0.004"]
        for line in solid:
            np.testing.assert_array_equal(line.get_xdata(), layers)
            np.testing.assert_allclose(line.get_ydata(), values)
    dashed = [[line for line in ax.lines if line.get_linestyle() == "--"] for ax in drawing.figure.axes]
    assert [len(lines) for lines in dashed] == [0, 0, 2, 0]
    for line in dashed[2]:
        np.testing.assert_allclose(line.get_ydata(), whole ** (1.5 / layers))
    (legend,) = drawing.figure.legends
    assert [text.get_text() for text in legend.get_texts()][:2] == ["weight decay 0.001", "weight decay 0.004"]
    assert legend.get_texts()[2].get_text().startswith("balanced head")
    assert "mean over 3 seeds, band: one standard deviation; " in drawing.caption
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_a_point_is_the_mean_over_the_seeds_that_fit() -> None:
    table = linear()
    metrics = table.metrics.copy()
    rows = (metrics["metric"] == NC2) & (metrics["layer"] == 3) & (metrics["trial"] == "1-0.001-1")
    metrics.loc[rows, "value"] = 41.0  # of the other seed it is 21
    figures = [drawn(Results(table.config, table.trials, metrics)).figure]
    lost = table.trials.assign(status=table.trials["status"].mask(table.trials["id"] == "1-0.001-1", "diverged"))
    figures.append(drawn(Results(table.config, lost, metrics)).figure)
    firsts = [figure.axes[3].lines[0].get_ydata()[0] for figure in figures]
    assert firsts == pytest.approx([83 / 3, 21])
    for figure in figures:
        plt.close(figure)


def test_the_notes_name_the_network_and_the_settings() -> None:
    for words, networks in (
        (("experiment=linear_head_depth",), "5 ReLU and 1 to 5 linear layers"),
        (RESNET, "resnet20 of 16 channels, followed by 1 ReLU and 1 to 6 linear layers"),
    ):
        drawing = drawn(linear(words=words))
        assert f"Networks: {networks} of width 64, no biases." in drawing.notes
        assert any("weight decay λ = 0.001 or 0.004" in note for note in drawing.notes)
        plt.close(drawing.figure)


def test_one_run_is_drawn() -> None:
    table = linear()
    first = table.trials["id"][0]
    one = Results(table.config, table.trials[:1], table.metrics[table.metrics["trial"] == first])
    drawing = drawn(one)
    assert [line.get_ydata().tolist() for line in drawing.figure.axes[3].lines] == [[pytest.approx(21)]]
    assert "one seed" in drawing.caption
    fit(drawing.figure, caption=drawing.caption)
    plt.close(drawing.figure)


def test_runs_that_lost_a_class_decide_nothing() -> None:
    table = linear(worse=True)
    lost = Results(table.config, table.trials.assign(status="underfit"), table.metrics)
    assert set(verdicts(lost).values()) == {Verdict.undecided}
    drawing = drawn(lost)
    assert [[text.get_text() for text in ax.texts] for ax in drawing.figure.axes] == [["no run fits"]] * 4
    assert drawing.figure.legends == []
    fit(drawing.figure, caption=drawing.caption)
    plt.close(drawing.figure)

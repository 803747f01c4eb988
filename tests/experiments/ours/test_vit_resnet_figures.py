"""What is drawn of the vision transformer and ResNet20 is what was measured."""

import dataclasses
import math
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from experiments.ours.vit_tables import changed, config, results
from matplotlib.axes import Axes

from nc_runner.experiments.base import Results
from nc_runner.experiments.ours.vit_resnet.claims import NC1, NC3
from nc_runner.experiments.ours.vit_resnet.figures import figures
from nc_runner.figures import BLUE, ORANGE
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def mean_of(of: Results, network: str, decay: float, metric: str) -> np.ndarray:
    rows = of.metrics[of.metrics["trial"].str.startswith(f"{network}-{decay:g}-") & (of.metrics["metric"] == metric)]
    found: np.ndarray = rows.groupby("epoch")["value"].mean().to_numpy()
    return found


def line(ax: Axes, colour: str, style: str) -> np.ndarray:
    (found,) = [line for line in ax.lines if line.get_color() == colour and line.get_linestyle() == style]
    return np.array(found.get_xydata())


ARMS = [("resnet20", 0.0, BLUE, "--"), ("resnet20", 5e-4, BLUE, "-"), ("VisionTransformer", 0.0, ORANGE, "--"),
        ("VisionTransformer", 5e-4, ORANGE, "-")]  # fmt: skip


@pytest.mark.parametrize(("network", "decay", "colour", "style"), ARMS)
def test_a_line_is_the_mean_over_seeds_of_its_network_and_weight_decay(
    network: str, decay: float, colour: str, style: str
) -> None:
    of = results()
    drawn = figures(of)
    for ax, metric in zip(drawn["collapse"].figure.axes, (NC1, NC3, "accuracy"), strict=True):
        at = line(ax, colour, style)
        np.testing.assert_array_equal(at[:, 0], [1, 10, 40, 100, 200])
        np.testing.assert_allclose(at[:, 1], mean_of(of, network, decay, metric))
    along, end = drawn["equal_accuracy"].figure.axes
    at = line(along, colour, style)
    nothing = 0.5 / config().data.samples
    np.testing.assert_allclose(at[:, 0], [0.5, 0.1, 0.005, nothing, nothing])
    np.testing.assert_allclose(at[:, 1], mean_of(of, network, decay, NC1))
    from_left, to_right = along.get_xlim()
    assert from_left > 1 > nothing > to_right
    (marks,) = [np.array(line.get_xydata()) for line in end.lines if line.get_color() == colour]
    last = of.final()
    expected = last[last["id"].str.startswith(f"{network}-{decay:g}-")][NC1]
    offset = -0.08 if network == "resnet20" else 0.08
    np.testing.assert_allclose(sorted(marks[marks[:, 0] == (decay > 0) + offset][:, 1]), sorted(expected))


def test_the_end_shows_those_that_fit_alone() -> None:
    of = results()
    of.trials.loc[of.trials["id"] == "resnet20-0-1", "status"] = "underfit"
    end = figures(of)["equal_accuracy"].figure.axes[1]
    assert [len(line.get_xdata()) for line in end.lines] == [5, 6]
    nothing = figures(changed(of, status="underfit"))["equal_accuracy"].figure.axes[1]
    assert [text.get_text() for text in nothing.texts] == ["no training fits\nall samples"]


def test_a_training_that_diverged_is_not_drawn_and_one_that_does_not_fit_is() -> None:
    of = results()
    of.trials["status"] = of.trials["id"].map(
        lambda name: "diverged" if name == "resnet20-0-1" else "underfit" if name == "resnet20-0-2" else "interpolated"
    )
    drawn = line(figures(of)["collapse"].figure.axes[0], BLUE, "--")
    left = dataclasses.replace(of, metrics=of.metrics[of.metrics["trial"] != "resnet20-0-1"])
    np.testing.assert_allclose(drawn[:, 1], mean_of(left, "resnet20", 0.0, NC1))


def test_of_one_weight_decay_the_line_is_that_of_the_config() -> None:
    of = results()
    one = of.only(of.trials["train.weight_decay"] > 0)
    one = dataclasses.replace(one, trials=one.trials.drop(columns="train.weight_decay"))
    one.config.train.weight_decay = 5e-4
    assert {line.get_linestyle() for line in figures(one)["collapse"].figure.axes[0].lines} == {"-"}


def test_captions_are_short_and_notes_tell_sizes_training_and_decay_times() -> None:
    for of in (results(), results(seeds=1), changed(results(), status="diverged")):
        drawn = figures(of)
        assert set(drawn) == {"collapse", "equal_accuracy", "geometry"}
        for drawing in drawn.values():
            assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    notes = figures(results())["collapse"].notes
    assert "Trained parameters: ResNet20 269,434, ViT 251,786." in notes
    assert any("39.3 or more with weight decay" in note for note in notes)
    assert any("step size 0.1, falling to 0 by a cosine, after a linear warm-up over 5%" in note for note in notes)


def test_another_network_has_a_colour_and_its_class_as_its_name() -> None:
    of = results()
    mine = of.trials["model.name"].map(lambda name: "a.package.Mine" if name == "own" else None)
    of = changed(of, **{"model._target_": mine})
    drawing = figures(of)["collapse"]
    assert [text.get_text() for text in drawing.figure.legends[0].get_texts()] == [
        "ResNet20", "Mine", "no weight decay", "λ = 0.0005",
    ]  # fmt: skip
    assert {line.get_color() for line in drawing.figure.axes[0].lines} - {BLUE, ORANGE}


def test_what_was_not_measured_is_said() -> None:
    of = results()
    trials = of.trials.drop(columns="accuracy")
    gone = dataclasses.replace(of, trials=trials, metrics=of.metrics[of.metrics["metric"] == "loss"])
    for drawing in figures(gone).values():
        assert all(ax.texts for ax in drawing.figure.axes)
    nan = dataclasses.replace(of, metrics=of.metrics.assign(value=math.nan))
    assert "nothing measured" in figures(nan)["collapse"].figure.axes[0].texts[0].get_text()

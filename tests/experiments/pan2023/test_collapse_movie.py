"""Claims and figures on made tables, and the files a movie becomes."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from conftest import Cli
from experiments.pan2023.made import NO, OPEN, YES, composed, verdicts
from experiments.pan2023.movie_tables import last
from experiments.pan2023.movie_tables import movie as made_movie
from PIL import Image

from nc_runner import experiments
from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.collapse_movie.claims import claims
from nc_runner.experiments.pan2023.collapse_movie.figures import figures, movie
from nc_runner.experiments.pan2023.collapse_movie.measure import drawn_samples
from nc_runner.experiments.pan2023.movie_frames import STRIP_FRAMES, chosen, half_width, read_frames
from nc_runner.experiments.pan2023.simplex_plane import simplex
from nc_runner.figures.drawing import Drawing
from nc_runner.figures.movie import images
from nc_runner.record.folder import RunFolder
from nc_runner.run.undefined import judged

Draw = Callable[..., dict[str, Drawing]]
HOLDS = dict.fromkeys(
    ("perfect_training_accuracy", "nc1_features_fall_onto_their_means", "nc2_means_reach_the_simplex",
     "nc3_classifiers_align_with_means", "nc4_nearest_mean_decides_alike"), YES,
)  # fmt: skip
NC = list(HOLDS)[1:]


def table(
    *, classes: int = 3, epochs: tuple[int, ...] = (1, 2, 5, 10), status: str | None = None, **values: float
) -> Results:
    """A movie of one trial; ``values`` changes its last frame."""

    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        last(**values)(point, metrics)
        point["status"] = status or point["status"]

    return made_movie(edit, classes=classes, epochs=epochs)


def test_every_claim_holds_where_it_should() -> None:
    assert verdicts(claims(table())) == HOLDS


@pytest.mark.parametrize(
    ("claim", "inside", "outside"),
    [
        (NC[0], {"plane_within_between_trace_ratio": 0.063}, {"plane_within_between_trace_ratio": 0.065}),
        (NC[0], {"within_between_trace_ratio": 0.099}, {"within_between_trace_ratio": 0.101}),
        (NC[1], {"etf_cosine_deviation_class_means": 0.049}, {"etf_cosine_deviation_class_means": 0.051}),
        (NC[1], {"max_mean_to_vertex_distance": 0.199}, {"max_mean_to_vertex_distance": 0.201}),
        (NC[2], {"min_self_duality_cosine_centred": 0.9901}, {"min_self_duality_cosine_centred": 0.9899}),
        (NC[3], {"ncc_accuracy": 0.9991}, {"ncc_accuracy": 0.9989}),
    ],
)
def test_each_alone_fails_from_its_threshold_on(
    claim: str, inside: dict[str, float], outside: dict[str, float]
) -> None:
    assert verdicts(claims(table(**inside))) == HOLDS
    assert verdicts(claims(table(**outside))) == {**HOLDS, claim: NO}


@pytest.mark.parametrize(
    ("claim", "metric", "first", "end"),
    [
        (NC[1], "etf_cosine_deviation_class_means", 0.02, 0.03),
        (NC[1], "max_mean_to_vertex_distance", 0.02, 0.03),
        (NC[2], "min_self_duality_cosine_centred", 0.999, 0.995),
        (NC[0], "within_between_trace_ratio", 0.02, 0.03),
    ],
)
def test_what_is_small_throughout_but_does_not_improve_fails(claim: str, metric: str, first: float, end: float) -> None:
    def edit(point: dict[str, Any], metrics: dict[Any, float]) -> None:
        metrics |= {(epoch, None, metric): first for epoch in (1, 2, 5)} | {(10, None, metric): end}

    assert verdicts(claims(made_movie(edit))) == {**HOLDS, claim: NO}


def test_not_fitting_is_no_collapse_and_no_counterexample() -> None:
    for status in ("underfit", "diverged"):
        assert verdicts(claims(table(status=status))) == {"perfect_training_accuracy": NO, **dict.fromkeys(NC, OPEN)}


def test_nothing_is_decided_without_a_fit_two_frames_or_time() -> None:
    assert verdicts(claims(table(epochs=(10,)))) == {**HOLDS, **dict.fromkeys(NC, OPEN)}
    smaller = table()
    short = Results(composed("experiment=collapse_movie", "scale=quick"), smaller.trials, smaller.metrics)
    assert verdicts(claims(short.only(short.trials["id"] != ""))) == dict.fromkeys(HOLDS, OPEN)
    undefined = verdicts(judged(experiments.load("collapse_movie"), table(within_between_trace_ratio=math.nan)))
    assert undefined == {**HOLDS, NC[0]: OPEN}


def test_frames_are_what_the_table_holds_without_the_undefined() -> None:
    results = table(classes=4, x_mean_0=math.nan)
    (frames,) = read_frames(results).values()
    assert [frame.epoch for frame in frames] == [1, 2, 5]
    assert [points.shape for points in frames[0].features] == [(12, 2)] * 4
    np.testing.assert_allclose(frames[0].means, simplex(4)[:, :2])
    third = results.metrics[(results.metrics["metric"] == "y_feature_2_007") & (results.metrics["epoch"] == 2)]
    assert frames[1].features[2][7, 1] == third["value"].item()
    assert half_width(frames) <= 2


def test_the_strip_has_the_first_and_the_last_frame() -> None:
    (frames,) = read_frames(table(epochs=(1, 2, 3, 4, 6, 9, 14, 20, 300))).values()
    epochs = [frame.epoch for frame in chosen(frames)]
    assert epochs == [1, 3, 9, 20, 300]  # nothing is near 96
    assert len(epochs) <= STRIP_FRAMES
    assert [frame.epoch for frame in chosen(frames[:1])] == [1]


@pytest.mark.parametrize("classes", [3, 4])
def test_the_movie_opens_and_plays(classes: int, tmp_path: Path) -> None:
    ((name, drawn),) = movie(table(classes=classes)).items()
    RunFolder(tmp_path).write_movie(name, images(drawn))
    path = tmp_path / "figures" / "collapse_movie.gif"
    assert path.stat().st_size < 3_000_000
    with Image.open(path) as gif:
        assert gif.n_frames == 4
        assert gif.info["loop"] == 0
        durations = []
        for number in range(4):
            gif.seek(number)
            durations.append(gif.info["duration"])
    assert durations[-1] > durations[0] == durations[1]
    assert not plt.get_fignums()


def test_the_curves_of_a_movie_are_the_table_up_to_its_frame() -> None:
    results = table()
    (drawn,) = movie(results).values()
    for number, figure in enumerate(drawn):
        curves = {line.get_label(): line for line in figure.axes[1].get_lines()}
        for metric, label in (
            ("within_between_trace_ratio", "NC1: tr $S_W$ / tr $S_B$"),
            ("etf_cosine_deviation_class_means", "NC2: mean |cos + 1/(C−1)|"),
            ("min_self_duality_cosine_centred", "NC3: 1 − least cos($w_c$, mean)"),
        ):
            values = results.metrics.loc[results.metrics["metric"] == metric, "value"].to_numpy()[: number + 1]
            np.testing.assert_array_equal(curves[label].get_ydata(), 1 - values if "NC3" in label else values)
            np.testing.assert_array_equal(curves[label].get_xdata(), [1, 2, 5, 10][: number + 1])
        plt.close(figure)


@pytest.mark.parametrize("classes", [3, 4])
def test_a_frame_of_the_strip_is_the_table(classes: int, draw: Draw) -> None:
    results = table(classes=classes)
    drawing = draw(figures, results)["figure_1_2"]
    values = results.metrics.set_index(["epoch", "metric"])["value"]
    assert [ax.get_title() for ax in drawing.figure.axes] == [f"epoch {epoch}" for epoch in (1, 2, 5, 10)]
    for ax, epoch in zip(drawing.figure.axes, (1, 2, 5, 10), strict=True):
        for c, line in enumerate(ax.get_lines()[-2 * classes : -classes]):
            names = [f"feature_{c}_{number:03d}" for number in range(12)]
            np.testing.assert_array_equal(line.get_xdata(), [values[epoch, f"x_{name}"] for name in names])
            np.testing.assert_array_equal(line.get_ydata(), [values[epoch, f"y_{name}"] for name in names])
        for c, line in enumerate(ax.get_lines()[-classes:]):
            assert line.get_xdata() == [values[epoch, f"x_mean_{c}"]]
            assert line.get_ydata() == [values[epoch, f"y_mean_{c}"]]
        for c, arrow in enumerate(ax.texts):
            assert list(arrow.xy) == [values[epoch, f"{axis}_classifier_{c}"] for axis in "xy"]
        assert " ".join(ax.get_xlabel().split()).startswith("90% of variance in")
    assert "the first 12 samples of each class" in drawing.caption
    assert any("a tetrahedron is a square" in note for note in drawing.notes) == (classes == 4)


@pytest.mark.parametrize("changes", [{"status": "unfinished"}, {"x_mean_0": math.nan, "epochs": (1,)}])
def test_a_strip_without_a_plane_says_so(changes: dict[str, Any], draw: Draw) -> None:
    (ax,) = draw(figures, table(**changes))["figure_1_2"].figure.axes
    assert ax.texts[0].get_text() == "no trial has a defined simplex plane"


def test_the_samples_drawn_are_the_first_of_each_class() -> None:
    labels = torch.tensor([2, 0, 0, 2, 0])
    assert [samples.tolist() for samples in drawn_samples(labels, 3)] == [[1, 2, 4], [], [0, 3]]


@pytest.mark.parametrize("word", ["data.classes=5", "train.method=none", "model.depth=1", "model.width=1"])
def test_what_cannot_be_drawn_is_refused_in_one_sentence(word: str, cli: Cli) -> None:
    done = cli("experiment=collapse_movie", "scale=smoke", word, "hydra.run.dir=run")
    assert done.returncode == 2
    assert word in done.stderr
    assert "Traceback" not in done.stderr

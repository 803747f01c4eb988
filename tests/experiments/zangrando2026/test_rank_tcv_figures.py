"""Distances from low rank and their bound as they are drawn."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
from experiments.zangrando2026.rank_tcv_tables import DECAYS, SEEDS, SIGMAS, UNDECIDED, results
from nonsense import verdicts

from nc_runner.experiments.zangrando2026.rank_tcv import EXPERIMENT
from nc_runner.experiments.zangrando2026.rank_tcv.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit


def test_heat_maps_show_the_distance_of_every_hidden_layer() -> None:
    drawing = figures(results())["figure_1"]
    *panels, _ = drawing.figure.axes
    assert [panel.get_title() for panel in panels] == ["layer 1", "layer 2"]
    expected = [[1e-7 * decay**-2 * sigma**2 for decay in DECAYS] for sigma in SIGMAS]
    for panel in panels:
        np.testing.assert_allclose(panel.images[0].get_array(), expected)
        assert [text.get_text() for text in panel.texts][:4] == ["−5.6", "−7.0", "−8.4", "−4.6"]
        assert [label.get_text() for label in panel.get_xticklabels()] == ["0.02", "0.1", "0.5"]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["0.1", "0.3", "1", "2", "3"]
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_networks_that_do_not_fit_are_in_no_figure() -> None:
    """None does at the largest weight decay and the least noise, one of the seeds at the next noise."""
    table = results()
    trials = table.trials
    least = (trials["train.weight_decay"] == DECAYS[-1]) & (trials["data.sigma"] == SIGMAS[0])
    one = (trials["train.weight_decay"] == DECAYS[-1]) & (trials["data.sigma"] == SIGMAS[1]) & (trials["seed"] == 0)
    gone = set(trials["id"][least | one])
    assert len(gone) == len(SEEDS) + 1
    metrics = table.metrics.assign(value=table.metrics["value"].mask(table.metrics["trial"].isin(gone), 1.0))
    status = trials["status"].mask(trials["id"].isin(gone), "underfit")
    drawings = figures(dataclasses.replace(table, metrics=metrics, trials=trials.assign(status=status)))
    expected = np.array([[1e-7 * decay**-2 * sigma**2 for decay in DECAYS] for sigma in SIGMAS])
    expected[0, -1] = np.nan
    for panel in drawings["figure_1"].figure.axes[:2]:
        np.testing.assert_allclose(panel.images[0].get_array().filled(np.nan), expected)
        assert panel.texts[2].get_text() == "–"
    lines = drawings["bound"].figure.axes[0].lines
    (line,) = [line for line in lines if line.get_label() == "λ = 0.5, ρ = 1.00"]
    assert len(line.get_xdata()) == 2 * (len(SIGMAS) * len(SEEDS) - len(gone))
    plt.close("all")


def test_distances_below_the_floor_are_written_as_that() -> None:
    drawing = figures(results(floor=True))["figure_1"]
    assert {text.get_text() for text in drawing.figure.axes[0].texts} == {"≤−10"}
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_bound_and_distance_are_plotted_against_cluster_variation_over_weight_decay() -> None:
    drawing = figures(results(bound=7.0))["bound"]
    lines = {line.get_label(): line for line in drawing.figure.axes[0].lines}
    in_all = {"bound, in training": 10.0, "distance, in training": 1.0, "bound, after training": 7.0}
    of_decays = {f"λ = {decay:g}, ρ = 1.00": decay for decay in DECAYS}
    assert list(lines) == [*in_all, *of_decays]

    def assert_drawn(name: str, factor: float, decays: tuple[float, ...]) -> None:
        points = [(s**0.5 / d, factor * (1e-7 * d**-2 * s**2) ** 0.5) for d in decays for s in SIGMAS]
        drawn = sorted(zip(lines[name].get_xdata(), lines[name].get_ydata(), strict=True))
        np.testing.assert_allclose(drawn, sorted(points * 2 * len(SEEDS)))

    for name, factor in in_all.items():
        assert_drawn(name, factor, DECAYS)
    for name, decay in of_decays.items():
        assert_drawn(name, 1.0, (decay,))
    assert "all layers and weight decays: 0.94 after training, 0.94 over all probes" in drawing.notes[0]
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_small_values_are_drawn_at_the_edge_and_that_is_said() -> None:
    table = results(floor=True)
    table.metrics.loc[table.metrics["metric"] == "input_cluster_variation", "value"] = 0.0
    drawing = figures(table)["bound"]
    (ax,) = drawing.figure.axes
    measured = [line for line in ax.lines if line.get_label().startswith("λ")]
    assert [line.get_label() for line in measured] == [f"λ = {decay:g}" for decay in DECAYS]  # no correlation
    assert {x for line in measured for x in line.get_xdata()} == {0.3}
    assert {y for line in measured for y in line.get_ydata()} == {1e-8}
    assert ax.texts[0].get_text() == "0.3 or less"
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_nothing_finished_decides_no_direction_and_is_said() -> None:
    table = results(status="diverged")
    assert set(verdicts(EXPERIMENT, table).values()) == {UNDECIDED}
    drawing = figures(table)["figure_1"]
    assert [ax.texts[0].get_text()[:15] for ax in drawing.figure.axes] == ["no network fits"] * 2
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)
    drawing = figures(dataclasses.replace(table, metrics=table.metrics.assign(value=np.nan)))["bound"]
    assert drawing.figure.axes[0].texts[0].get_text() == "no network fits"
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from tables import make_results

from nc_runner.config.schema import Config, DataConfig, ModelConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.rank_tcv.claims import claims, pairs
from nc_runner.experiments.zangrando2026.rank_tcv.figures import figures
from nc_runner.figures.drawing import CAPTION_LINES, add_caption


def results(
    *,
    decay_power: float = -2.0,
    noise_power: float = 2.0,
    bound: float = 10.0,
    floor: bool = False,
    status: str = "interpolated",
) -> Results:
    trials, rows = [], []
    for decay, sigma in itertools.product((1e-3, 1e-2, 1e-1), (0.1, 0.5, 1.0)):
        name = f"{decay}-{sigma}"
        trials.append([name, status, 0, decay, sigma, 5, 0.1, 1.0])
        for layer in (1, 2):
            distance = 1e-20 if floor else 1e-7 * decay**decay_power * sigma**noise_power
            values = {
                "relative_rank_distance": distance, "rank_distance": distance**0.5, "weight_norm": 1.0,
                "rank_distance_bound": bound * distance**0.5, "input_cluster_variation": sigma,
            }  # fmt: skip
            rows += [[name, 5, layer, metric, value] for metric, value in values.items()]
    config = Config(data=DataConfig(classes=3), model=ModelConfig(depth=3))
    return make_results(config, ["train.weight_decay", "data.sigma"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(results()).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("bound_holds", {"bound": 0.5}),
        ("falls_with_weight_decay", {"decay_power": 0.5}),
        ("rises_with_noise", {"noise_power": -1.0}),
    ],
)
def test_each_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(results(**changes))[claim] is Verdict.not_reproduced  # type: ignore[arg-type]


def test_distances_below_the_floor_are_alike_and_decide_nothing() -> None:
    table = results(floor=True)
    assert pairs(table, "train.weight_decay", ["data.sigma"], sign=-1) == (0, 0)
    assert verdicts(table)["rises_with_noise"] is Verdict.undecided


def test_pairs_are_counted_within_a_layer_and_all_else_equal() -> None:
    assert pairs(results(), "train.weight_decay", ["data.sigma"], sign=-1) == (12, 12)


def test_heat_maps_show_the_distance_of_every_hidden_layer() -> None:
    drawing = figures(results())["figure_1"]
    *panels, _ = drawing.figure.axes
    assert [panel.get_title() for panel in panels] == ["layer 1", "layer 2"]
    expected = [[1e-7 * decay**-2 * sigma**2 for decay in (1e-3, 1e-2, 1e-1)] for sigma in (0.1, 0.5, 1.0)]
    for panel in panels:
        np.testing.assert_allclose(panel.images[0].get_array(), expected)
        assert [text.get_text() for text in panel.texts][:4] == ["−3.0", "−5.0", "−7.0", "−1.6"]
        assert [label.get_text() for label in panel.get_xticklabels()] == ["0.001", "0.01", "0.1"]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["0.1", "0.5", "1"]
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_distances_below_the_floor_are_written_as_that() -> None:
    drawing = figures(results(floor=True))["figure_1"]
    assert {text.get_text() for text in drawing.figure.axes[0].texts} == {"≤−10"}
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_bound_and_distance_are_plotted_against_cluster_variation_over_weight_decay() -> None:
    drawing = figures(results(bound=7.0))["bound"]
    lines = {line.get_label(): line for line in drawing.figure.axes[0].lines}
    assert [len(line.get_xdata()) for line in lines.values()] == [0, 0, 18, 18]
    points = sorted((s**0.5 / d, (1e-7 * d**-2 * s**2) ** 0.5) for d in (1e-3, 1e-2, 1e-1) for s in (0.1, 0.5, 1.0))
    for name, factor in (("distance, after training", 1.0), ("bound, after training", 7.0)):
        drawn = sorted(zip(lines[name].get_xdata(), lines[name].get_ydata(), strict=True))
        np.testing.assert_allclose(drawn, np.repeat([(x, factor * y) for x, y in points], 2, axis=0))
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_small_values_are_drawn_at_the_edge_and_that_is_said() -> None:
    table = results(floor=True)
    table.metrics.loc[table.metrics["metric"] == "input_cluster_variation", "value"] = 0.0
    drawing = figures(table)["bound"]
    (ax,) = drawing.figure.axes
    measured = next(line for line in ax.lines if line.get_label() == "distance, after training")
    assert set(measured.get_xdata()) == {0.3}
    assert set(measured.get_ydata()) == {1e-8}
    assert ax.texts[0].get_text() == "0.3 or less"
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_nothing_finished_decides_no_direction_and_is_said() -> None:
    table = results(status="diverged")
    of = verdicts(table)
    assert of["falls_with_weight_decay"] is of["rises_with_noise"] is Verdict.undecided
    drawing = figures(table)["figure_1"]
    assert [ax.texts[0].get_text()[:19] for ax in drawing.figure.axes] == ["no finished network"] * 2
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)
    table.metrics.loc[:, "value"] = np.nan
    drawing = figures(table)["bound"]
    assert drawing.figure.axes[0].texts[0].get_text() == "no finished network"
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)

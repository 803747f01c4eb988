"""Each claim of Figure 3.3 on tables made so that it holds or fails; what is plotted of them."""

from collections.abc import Callable

import numpy as np
import pytest
from tables import make_results

from nc_runner.config.schema import Config, ModelConfig
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.pan2023.conjectures import INTER, INTRA, NCC
from nc_runner.experiments.pan2023.depth_minimization.claims import claims
from nc_runner.experiments.pan2023.depth_minimization.figures import figures
from nc_runner.figures.drawing import Drawing

DECAYS = {1e-4: 8, 3e-3: 5, 5e-3: 4, 1e-2: 3}  # weight decay: the first layer with perfect NCC
DEPTH = 10


def results(
    *,
    high_accuracy: float = 0.6,
    low_accuracy: float = 1.0,
    inter: float = 0.1,
    dip: float = 0.0,
    zigzag: float = 0.0,
    flat: bool = False,
) -> Results:
    """Ten layers that sharpen; at 3e-3 and 5e-3 max inter stays at ``inter`` up to layer 8."""
    trials, rows = [], []
    for number, (decay, first) in enumerate(DECAYS.items()):
        accuracy = high_accuracy if decay == 1e-2 else low_accuracy
        status = "interpolated" if accuracy >= 0.999 else "underfit"
        trials.append([f"t{number}", status, 0, decay, 300, 0.0, accuracy])
        for layer in range(1, DEPTH + 1):
            ncc = 1.0 if layer >= (8 if flat else first) else 0.5 + 0.01 * layer
            rows.append([f"t{number}", 300, layer, NCC, ncc])
            if layer < DEPTH:
                between = -0.1 - 0.01 * layer if decay not in (3e-3, 5e-3) or layer > 8 else inter - 0.001 * layer
                intra = 0.1 + 0.08 * layer + 0.01 * number - (dip if layer == 7 else 0) + zigzag * (layer % 2)
                rows += [[f"t{number}", 300, layer, INTRA, intra], [f"t{number}", 300, layer, INTER, between]]
        rows += [[f"t{number}", 300, None, "loss", 0.0], [f"t{number}", 300, None, "accuracy", accuracy]]
    return make_results(Config(model=ModelConfig(depth=DEPTH)), ["train.weight_decay"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_every_claim_holds_where_it_should() -> None:
    assert set(verdicts(results()).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("convergence", {"high_accuracy": 1.0}),
        ("convergence", {"low_accuracy": 0.99}),
        ("inter_above_zero", {"inter": -0.05}),
        ("growth_with_layer", {"dip": 0.4}),
        ("sharpening", {"zigzag": 0.3}),
    ],
)
def test_a_claim_fails_where_it_should(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(results(**changes))[claim] is Verdict.not_reproduced


def test_a_depth_that_does_not_move_is_non_increasing() -> None:
    assert verdicts(results(flat=True))["depth_falls_with_weight_decay"] is Verdict.reproduced


Draw = Callable[..., dict[str, Drawing]]


def hidden(table: Results, trial: str, metric: str) -> list[float]:
    """The values of a metric at the hidden layers of a trial."""
    rows = table.metrics[(table.metrics["trial"] == trial) & (table.metrics["metric"] == metric)]
    return rows[rows["layer"] < DEPTH].sort_values("layer")["value"].tolist()


def test_a_panel_has_the_layers_of_its_weight_decay(draw: Draw) -> None:
    table = results()
    panels = draw(figures, table)["figure_3_3"].figure.axes
    assert len(panels) == len(DECAYS)
    for number, ax in enumerate(panels):
        for line, metric in zip(ax.get_lines(), (NCC, INTRA, INTER), strict=False):
            assert line.get_xdata().tolist() == list(range(1, DEPTH))
            assert line.get_ydata().tolist() == hidden(table, f"t{number}", metric)
        assert ax.get_lines()[3].get_ydata() == [-1 / 3, -1 / 3]  # dashed
    assert [ax.get_title() for ax in panels[-2:]] == ["λ = 0.005", "λ = 0.01, underfit\naccuracy 0.6000"]


def test_effective_depth_is_of_trials_that_fit_and_g_of_all(draw: Draw) -> None:
    table = results()
    left, right, _ = draw(figures, table)["effective_depth"].figure.axes
    for line in left.get_lines():
        assert dict(zip(*line.get_data(), strict=True)) == {1e-4: 8, 3e-3: 5, 5e-3: 4}
    gap = [np.subtract(hidden(table, f"t{n}", INTRA), hidden(table, f"t{n}", INTER)) for n in range(len(DECAYS))]
    np.testing.assert_array_equal(right.get_images()[0].get_array(), gap)


def test_a_line_is_g_at_an_epoch(draw: Draw) -> None:
    table = results()
    drawing = draw(figures, table)["sharpening"]
    for number, ax in enumerate(drawing.figure.axes[: len(DECAYS)]):
        (line,) = ax.get_lines()
        expected = np.subtract(hidden(table, f"t{number}", INTRA), hidden(table, f"t{number}", INTER))
        np.testing.assert_array_equal(line.get_ydata(), expected)
    assert any("training accuracy: 0.6000 at λ = 0.01." in note for note in drawing.notes)


def test_effective_depth_of_no_trial_that_fits_says_so(draw: Draw) -> None:
    left = draw(figures, results(low_accuracy=0.99))["effective_depth"].figure.axes[0]
    assert left.texts[0].get_text() == "no trial reaches\ntraining accuracy 0.999"

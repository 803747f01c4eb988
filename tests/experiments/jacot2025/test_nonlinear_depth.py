"""Figure 3's claims and panels, on tables made so that each claim holds or fails."""

import dataclasses
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from tables import make_results

from nc_runner.cli.mistakes import compose
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025.nonlinear_depth import EXPERIMENT, by_run, falls_with_depth
from nc_runner.figures.drawing import CAPTION_LINES, add_caption


def nonlinear(*, balance: float = -0.1, negative: float = -0.1, last: float = 0.6) -> Results:
    """4 to 12 non-linear layers at two step sizes; balancedness and negativity change by these factors a layer."""
    trials, rows = [], []
    for layers, rate in itertools.product(range(4, 13), (5e-3, 1e-2)):
        name, end = f"{layers}-{rate}", layers - 2
        trials.append([name, "interpolated", 0, 4 + layers, 0.064 / (4 + layers), rate, 9, 0.01, 1.0])
        for layer in range(1, end + 5):
            negativity = last if layer == end else 0.3 * (1 + negative) ** layers
            rows.append([name, 9, layer, "negativity", negativity])
            if layer < end + 4:
                rows.append([name, 9, layer, "balancedness", (0.3 if layer <= end else 1e-4) * (1 + balance) ** layers])
    config = compose(["experiment=nonlinear_depth", "scale=cpu"])
    return make_results(config, ["model.depth", "train.weight_decay", "train.learning_rate"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in EXPERIMENT.claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    of = verdicts(nonlinear())
    assert of.pop("theorem_b1") is Verdict.undecided
    assert set(of.values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "changes"),
    [
        ("deeper_more_balanced", {"balance": 0.1}),
        ("deeper_less_negative", {"negative": 0.1}),
        ("last_stays_negative", {"last": 0.05}),
    ],
)
def test_each_can_fail(claim: str, changes: dict[str, float]) -> None:
    assert verdicts(nonlinear(**changes))[claim] is Verdict.not_reproduced


def test_nothing_but_the_last_layer_is_judged_before_weight_decay_has_had_its_time() -> None:
    table = nonlinear()
    few = dataclasses.replace(table.config, train=dataclasses.replace(table.config.train, epochs=20))
    of = verdicts(Results(few, table.trials, table.metrics))
    assert {name for name, verdict in of.items() if verdict is not Verdict.undecided} == {"last_stays_negative"}


def test_a_row_is_of_the_nonlinear_layers_of_one_run() -> None:
    runs = by_run(nonlinear()).set_index("id")
    assert runs.loc["12-0.005", "nonlinear_depth"] == 12
    assert runs.loc["12-0.005", "last_negativity"] == pytest.approx(0.6)
    assert runs.loc["12-0.005", "balancedness_min"] == pytest.approx(0.3 * 0.9**12)  # of no linear layer


def test_the_panels_show_the_least_and_the_mean_over_layers_at_each_depth() -> None:
    drawing = EXPERIMENT.figures(nonlinear())["figure_3"]
    depths = np.arange(4, 13)
    balance, negativity = 0.3 * 0.9**depths, 0.3 * 0.9**depths
    mean = (negativity * (depths - 3) + 0.6) / (depths - 2)  # of depth - 2 layers, the last at 0.6
    for ax, expected in zip(drawing.figure.axes, (balance, balance, negativity, mean), strict=True):
        assert [line.get_label() for line in ax.lines] == ["step size 0.005", "step size 0.01"]
        for line in ax.lines:
            np.testing.assert_array_equal(line.get_xdata(), depths)
            np.testing.assert_allclose(line.get_ydata(), expected)
    assert "18 of 18 trials fit" in drawing.caption
    assert "The weight decay is 0.064 over the number of layers." in drawing.notes
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_without_a_run_that_fits_every_panel_says_so_and_no_depth_is_judged() -> None:
    table = nonlinear()
    lost = Results(table.config, table.trials.assign(status="underfit"), table.metrics)
    drawing = EXPERIMENT.figures(lost)["figure_3"]
    assert [[text.get_text() for text in ax.texts] for ax in drawing.figure.axes] == [["no run fits"]] * 4
    assert "0 of 18 trials fit" in drawing.caption
    assert set(verdicts(lost).values()) == {Verdict.undecided}
    add_caption(drawing.figure, drawing.caption)
    plt.close(drawing.figure)


def test_fewer_than_two_in_three_of_the_depths_are_not_judged() -> None:
    rows = by_run(nonlinear())
    some = rows[rows["nonlinear_depth"] <= 8]  # 5 of 9
    claim = falls_with_depth(some, "negativity", "deeper_less_negative", "less negative", depths=9, done=True)
    assert claim.verdict is Verdict.undecided

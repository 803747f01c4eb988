"""The claims on the conditioning of a head and their panels, on tables made so that each holds or fails."""

import dataclasses
import itertools
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import pytest
from experiments.jacot2025.head_tables import with_value
from nonsense import without_needs
from tables import make_results

from nc_runner.cli.mistakes import compose
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import conditioning
from nc_runner.experiments.jacot2025.bounded_conditioning import EXPERIMENT
from nc_runner.experiments.jacot2025.conditioning import by_probe, claims, ends
from nc_runner.experiments.jacot2025.conditions import enough_fit
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit

RATES, EPOCHS = (0.025, 0.05, 0.1, 0.2, 0.4), (40800, 20400, 10200, 5100, 2550)
ERROR, FIRST, LARGEST, DECAY, N = 0.03, 1.2, 1.3, 5e-3, 200
LEFT = 20**0.5 - ERROR * N**0.5  # s_K(Y) less the error


def conditioned(
    *, c3: float = 5.0, power: float = -0.1, sharp: float = 0.9, kernel: float | None = None, far: float = 0.0,
    seeds: int = 3, words: tuple[str, ...] = (),
) -> Results:  # fmt: skip
    """c3 as a power of the step size over the least; sharpness and kernel over N ``sharp`` times the limit.

    ``kernel`` is ||Theta||_op itself; ``far`` the excess of the objective at the end of all step sizes but the least.
    """
    config = compose(["experiment=bounded_conditioning", *words])
    trials, rows = [], []
    for (rate, epochs), seed in itertools.product(zip(RATES, EPOCHS, strict=True), range(seeds)):
        name, limit = f"{rate}-{seed}", 2 / rate - DECAY
        trials.append([name, "interpolated", seed, rate, epochs, epochs, 0.01, 1.0])
        for epoch in (epochs // 2, epochs):
            objective = 0.1 * (1.5 if epoch < epochs else 1 + 1e-4 * seed + (far if rate > 0.025 else 0))
            values = {
                "loss": ERROR**2 / 2, "accuracy": 1.0, "objective": objective, "sharpness": sharp * limit,
                "linear_head_condition_number": c3 * (rate / 0.025) ** power * (1 + 1e-3 * seed),
                "kernel_norm": N * sharp * limit if kernel is None else kernel,
                "first_linear_norm": FIRST, "largest_linear_norm": LARGEST,
            }  # fmt: skip
            rows += [[name, epoch, None, metric, value] for metric, value in values.items()]
    return make_results(config, ["train.learning_rate", "train.epochs"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    found = claims(conditioned())
    assert {claim.verdict for claim in found} == {Verdict.reproduced}
    assert all(claim.needs and claim.number for claim in found)


def test_predictions_are_those_of_the_theory() -> None:
    last = ends(conditioned()).set_index("trial").loc["0.4-1"]
    limit = 2 / 0.4 - DECAY
    assert last["limit"] == pytest.approx(limit)
    assert last["time"] == pytest.approx(1020)
    assert last["stable_bound"] == pytest.approx(FIRST * (N * limit) ** 0.5 / LEFT)
    assert last["condition_bound"] == pytest.approx(FIRST * (0.9 * N * limit) ** 0.5 / LEFT)
    assert last["kernel_bound"] == pytest.approx(3 * (LEFT / LARGEST) ** 2 / N)
    assert last["excess"] == pytest.approx(1e-4)
    fast = by_probe(conditioned(words=("train.momentum=0.5",)))
    assert fast["limit"].min() == pytest.approx(3 / 0.4 - DECAY)


STEPS, OPTIMA, KERNEL = "large_steps_bound_conditioning", "near_optimal_bounds_conditioning", "kernel_lower_bound"
SHARPER, UPPER, LARGER = "kernel_sharper_bound", "kernel_bounds_conditioning", "larger_steps_condition_better"
AT_LIMIT = FIRST * (N * (2 / 0.4 - DECAY)) ** 0.5 / LEFT  # c3 that the largest step size allows, 9.4
LOWER = 3 * (LEFT / LARGEST) ** 2  # of ||Theta||_op


@pytest.mark.parametrize(
    ("fail", "changes"),
    [
        (STEPS, {"c3": AT_LIMIT * 16**0.005, "power": -0.005, "kernel": 1e4}),
        ("", {"c3": AT_LIMIT * 16**0.005 * 0.997, "power": -0.005, "kernel": 1e4}),
        (OPTIMA, {"c3": 10.01, "power": -0.2}),
        ("", {"c3": 9.97, "power": -0.2}),
        (SHARPER, {"c3": 1.2, "kernel": LOWER * 0.998}),
        ("", {"c3": 1.2, "kernel": LOWER * 1.001}),
        (f"{KERNEL} {SHARPER} {UPPER}", {"c3": 1.2, "kernel": LOWER / 100 * 0.998}),  # 1/K^2 of it
        (f"{SHARPER} {UPPER}", {"c3": 1.2, "kernel": LOWER / 100 * 1.001}),
        (UPPER, {"c3": 5.0, "kernel": (5.0 / 1.01 * LEFT / FIRST) ** 2}),
        (LARGER, {"power": 0.02}),
    ],
)
def test_each_can_fail_at_its_limit_and_no_other_suffers(fail: str, changes: dict[str, float]) -> None:
    of = verdicts(conditioned(**changes))  # type: ignore[arg-type]
    assert {name for name, verdict in of.items() if verdict is Verdict.not_reproduced} == set(fail.split())
    assert set(of.values()) <= {Verdict.reproduced, Verdict.not_reproduced}


def test_only_what_is_nearly_optimal_has_to_be_well_conditioned() -> None:
    """At larger step sizes c3 is above the limit, and the objective 1.1 % above the least, or 0.9 %."""
    table = with_value(conditioned(far=0.011), "linear_head_condition_number", 6.0, "trial == '0.4-1'")
    assert verdicts(table)[OPTIMA] is Verdict.reproduced
    for far, verdict in ((0.011, Verdict.reproduced), (0.009, Verdict.not_reproduced)):
        table = with_value(conditioned(far=far), "linear_head_condition_number", 10.1, "trial == '0.1-1'")
        assert verdicts(table)[OPTIMA] is verdict


def undecided(table: Results) -> set[str]:
    return {name for name, verdict in verdicts(table).items() if verdict is Verdict.undecided}


def test_what_lacks_leaves_undecided_what_needs_it() -> None:
    assert undecided(conditioned(sharp=1.11)) == {STEPS}
    assert undecided(conditioned(sharp=1.09)) == set()
    assert undecided(conditioned(seeds=2)) == {STEPS, OPTIMA, LARGER}
    assert undecided(conditioned(words=("train.batch_size=50",))) == {STEPS, OPTIMA, LARGER}
    assert undecided(conditioned(words=("train.weight_decay=1e-3",))) == {STEPS, OPTIMA, LARGER}
    table = conditioned()
    assert undecided(table.only(table.trials["train.learning_rate"] < 0.4)) == {STEPS, OPTIMA}
    lost = dataclasses.replace(table, metrics=table.metrics[table.metrics["metric"] != "kernel_norm"])
    assert undecided(lost) == {KERNEL, SHARPER, UPPER}
    assert undecided(dataclasses.replace(table, trials=table.trials.assign(status="diverged"))) == set(verdicts(table))


@pytest.mark.parametrize(("power", "holds"), [(-0.1, True), (0.0, False), (0.05, False)])
def test_a_trend_is_told_from_noise(power: float, holds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 tables with noise of 5 % in c3."""
    without_needs(monkeypatch, conditioning)
    of, random, found = conditioned(), np.random.default_rng(6), Counter[Verdict]()
    last = ends(of)
    enough = enough_fit(of)
    for _ in range(200):
        noise = np.exp(0.05 * random.normal(size=len(last)))
        rows = last.assign(linear_head_condition_number=5 * last["train.learning_rate"] ** power * noise)
        found[conditioning.larger_steps(of, rows, enough).verdict] += 1
    assert found[Verdict.not_reproduced if holds else Verdict.reproduced] <= 10, found
    if holds:
        assert found[Verdict.reproduced] >= 160, found


@pytest.mark.parametrize(("level", "holds"), [(0.8, True), (1.25, False)])
def test_a_limit_is_told_from_noise(level: float, holds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 tables with c3 at a share of each limit, noise of 5 %, and a thousandth of that in the kernel."""
    without_needs(monkeypatch, conditioning)
    of, random, found = conditioned(), np.random.default_rng(6), Counter[tuple[str, Verdict]]()
    table, last, enough = by_probe(of), ends(of), enough_fit(of)
    one = table[table["trial"] == "0.4-1"]
    for _ in range(200):
        noise = np.exp(0.05 * random.normal(size=len(table)))
        c3 = table.assign(linear_head_condition_number=10 * level * noise)
        at_end = last.assign(linear_head_condition_number=last["stable_bound"] * level * noise[: len(last)])
        lower = table["kernel"] * (level if holds else 1.002) * noise**1e-3
        found[OPTIMA, conditioning.optima_bound(of, c3, enough).verdict] += 1
        found[STEPS, conditioning.steps_bound(of, one, at_end, enough).verdict] += 1
        claim = conditioning.holds_at_all_probes(of, table, conditioning.KERNEL_SHARPER, lower, table["kernel"])
        found[SHARPER, claim.verdict] += 1
    wrong = Verdict.not_reproduced if holds else Verdict.reproduced
    assert max(found[claim, wrong] for claim in (OPTIMA, STEPS, SHARPER)) <= 10, found


def test_panels_show_sharpness_conditioning_and_kernel() -> None:
    drawing = EXPERIMENT.figures(conditioned())["bounded_conditioning"]
    over, against, near, kernel = drawing.figure.axes
    limits = [2 / rate - DECAY for rate in RATES]
    curves, dashed = over.lines[:5], over.lines[5:]
    np.testing.assert_allclose([line.get_ydata() for line in curves], [[0.9 * limit] * 2 for limit in limits])
    np.testing.assert_allclose([line.get_ydata()[0] for line in dashed], limits)
    np.testing.assert_allclose(curves[0].get_xdata(), [510, 1020])
    c3, bound, stable = (line.get_ydata() for line in against.lines)
    np.testing.assert_allclose(c3, [5.005 * (rate / 0.025) ** -0.1 for rate in RATES])
    np.testing.assert_allclose(stable, [FIRST * (N * limit) ** 0.5 / LEFT for limit in limits])
    np.testing.assert_allclose(bound, np.array(stable) * 0.9**0.5)
    np.testing.assert_allclose(kernel.lines[0].get_ydata(), 0.9 * np.array(limits))
    np.testing.assert_allclose(kernel.lines[1].get_ydata(), LOWER / N)
    assert len(near.lines) == 7
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_networks_of_convolutions_are_refused() -> None:
    config = compose(["experiment=bounded_conditioning", "model=resnet20"])
    assert EXPERIMENT.check is not None
    with pytest.raises(UserError, match=r"^model\.name=resnet20: .*allowed is mlp\.$"):
        EXPERIMENT.check(config)

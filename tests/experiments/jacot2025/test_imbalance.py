"""How fast imbalance decays and where it stays: the recursion that is fitted, and each claim on it."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from experiments.jacot2025.head_tables import (
    DECAY,
    DRIVING,
    EPOCHS,
    STEP_SIZE,
    recursion,
    results,
    verdicts,
    with_value,
)
from nonsense import without_needs

from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import imbalance_claims, linear_head_mlp
from nc_runner.experiments.jacot2025.conditions import enough_fit
from nc_runner.experiments.jacot2025.imbalance import fits, steps_per_epoch, with_predictions


def test_without_time_after_the_drop_its_fall_is_undecided() -> None:
    of = verdicts(results(words=("train.lr_gamma=0.01",)))  # e^-0.3 is left
    assert of["falls_after_drop"] is Verdict.reproduced
    of = verdicts(results(words=("train.lr_gamma=0.005",)))  # e^-0.15
    assert of["falls_after_drop"] is Verdict.undecided
    assert verdicts(results(words=("train.lr_milestones=[]",)))["falls_after_drop"] is Verdict.undecided


@pytest.mark.parametrize(("drift", "verdict"), [(4e-4, Verdict.reproduced), (6e-4, Verdict.undecided)])
def test_a_nonlinear_layer_that_still_moves_has_no_plateau(drift: float, verdict: Verdict) -> None:
    """Over half of the last 1,600 of 8,000 epochs: 0.4 is the log of 1.5."""
    assert verdicts(results(drift=drift))["nonlinear_plateau_higher"] is verdict


def test_the_fit_is_of_the_recursion_in_its_window() -> None:
    table = fits(results())
    steps = steps_per_epoch(results().config)
    assert len(table) == 9
    assert table["expected"].iloc[0] == pytest.approx(-2 * math.log(1 - STEP_SIZE * DECAY), rel=1e-12)
    assert (table["fitted"] / table["expected"]).between(0.95, 1.0).all()
    plateau = STEP_SIZE**2 * DRIVING / (1 - (1 - STEP_SIZE * DECAY) ** 2)
    assert table["plateau"].iloc[0] == pytest.approx(plateau, rel=0.05)
    assert table["predicted_plateau"].iloc[0] == pytest.approx(plateau, rel=0.05)
    assert table["predicted_end"].iloc[0] == pytest.approx(recursion(EPOCHS, steps, 1.0), rel=1e-6)
    assert table["first"].iloc[0] > 1  # the loss has not settled at the first probe
    rows = with_predictions(results())
    assert (rows["predicted"] / rows["imbalance"]).between(0.999, 1.001).all()
    kept = rows[(rows["epoch"] <= table["last"].iloc[0])]
    assert (kept["straight"] / kept["imbalance"]).between(0.85, 1.001).all()


def test_a_rate_from_some_of_the_fits_decides_nothing() -> None:
    few = with_value(results(), "imbalance", 1e-9, "trial == 'a' and layer == 4 and epoch > 1")
    assert fits(few)["fitted"].isna().sum() == 1
    found = verdicts(few)
    assert found["imbalance_decay_rate"] is found["decays_exponentially"] is Verdict.undecided


def test_free_decay_to_the_end_is_no_plateau() -> None:
    table = results()
    rows = with_predictions(table)
    free = table.metrics.copy()
    of = {(t, e, la): s for t, e, la, s in rows[["id", "epoch", "layer", "straight"]].itertuples(index=False)}
    imbalance = free["metric"] == "imbalance"
    free.loc[imbalance, "value"] = [
        of.get((t, e, la), value) if of.get((t, e, la), 0) > 0 else value
        for t, e, la, value in free.loc[imbalance, ["trial", "epoch", "layer", "value"]].itertuples(index=False)
    ]
    found = verdicts(Results(table.config, table.trials, free))
    assert found["imbalance_plateau"] is Verdict.undecided
    assert found["falls_after_drop"] is Verdict.undecided
    assert found["imbalance_decay_rate"] is Verdict.reproduced


def test_trials_of_several_clocks_are_not_predicted() -> None:
    table = results()
    mixed = Results(table.config, table.trials.assign(**{"train.batch_size": [32, 64, 64]}), table.metrics)
    found = verdicts(mixed)
    assert found["imbalance_decay_rate"] is Verdict.undecided
    assert found["imbalance_plateau"] is Verdict.undecided
    assert linear_head_mlp.EXPERIMENT.warnings is not None
    assert "train.batch_size" in linear_head_mlp.EXPERIMENT.warnings(mixed)[0]
    assert linear_head_mlp.EXPERIMENT.warnings(table) == []


@pytest.mark.parametrize(
    ("claim", "column", "right", "wrong"),
    [
        ("decays_at_rate", "fitted", 1.0, 1.15),
        ("decays_at_rate", "fitted", 1.0, 0.85),
        ("plateau_predicted", "predicted_plateau", 1.5, 5.0),
        ("plateau_predicted", "predicted_plateau", 0.6, 0.2),
        ("falls_after_drop", "at_end", 0.5, 1.0),  # flat
        ("falls_after_drop", "at_end", 0.7, 2.0),
    ],
)
def test_noise_decides_no_rate_and_no_plateau(
    claim: str, column: str, right: float, wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 200 tables of fifteen fits: noise of 2 % in a rate, of 15 % in a plateau, as in runs."""
    without_needs(monkeypatch, imbalance_claims)
    random, of = np.random.default_rng(5), results()
    noise = 0.02 if column == "fitted" else 0.15
    exact = pd.concat([fits(of)] * 5, ignore_index=True).iloc[:15]
    exact = exact.assign(fitted=exact["expected"], predicted_plateau=exact["plateau"], at_end=exact["plateau"])
    for factor, error in ((right, Verdict.not_reproduced), (wrong, Verdict.reproduced)):
        found = Counter[Verdict]()
        for _ in range(200):
            values = exact[column] * factor * np.exp(noise * random.normal(size=15))
            found[getattr(imbalance_claims, claim)(of, exact.assign(**{column: values})).verdict] += 1
        assert found[error] <= 10, found


@pytest.mark.parametrize(("power", "holds"), [(None, True), (2.0, False)])
def test_a_power_law_is_no_exponential(power: float | None, holds: bool) -> None:
    """R^2 of logs of ten probes with 10 % of noise, over three e-foldings of a decay, by its two laws."""
    random, steps = np.random.default_rng(5), np.linspace(0, 3, 10)
    law = -steps if power is None else -power * np.log1p(steps * (math.expm1(3 / power) / 3))
    straight = [np.corrcoef(steps, law + 0.1 * random.normal(size=10))[0, 1] ** 2 for _ in range(200)]
    believed = sum(r2 >= imbalance_claims.STRAIGHT_R2 for r2 in straight)
    assert believed >= 190 if holds else believed <= 10


@pytest.mark.parametrize(("times", "wrong"), [(4.0, Verdict.not_reproduced), (1.0, Verdict.reproduced)])
def test_higher_plateaus_are_told_from_noise(times: float, wrong: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 tables of five runs, three layers of each kind, with noise of 30 % between layers; the same is flat."""
    without_needs(monkeypatch, imbalance_claims)
    random, of, found = np.random.default_rng(5), results(), Counter[Verdict]()
    exact, met = fits(of), enough_fit(of)
    rows = pd.DataFrame({"id": np.repeat([*"abcde"], 6), "layer": [*range(1, 7)] * 5, "change": 1.0})
    for _ in range(200):
        high = np.where(rows["layer"] <= 3, times, 1.0)
        table = rows.assign(plateau=1e-2 * high * np.exp(0.3 * random.normal(size=30)))
        monkeypatch.setattr(imbalance_claims, "plateaus", lambda _, table=table: table)
        found[imbalance_claims.nonlinear_higher(of, exact, met).verdict] += 1
    assert found[wrong] <= 10, found

"""The two tables of a run, against what a person would write down by hand."""

import math

import pandas as pd
import pytest

from nc_runner.config.choices import Method
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config
from nc_runner.config.trials import Trial, make_trials
from nc_runner.record.tables import Outcome, metrics_table, trial_status, trials_table

Row = tuple[str, int, int | None, str, float]


@pytest.fixture
def trials(small: Config) -> list[Trial]:
    return make_trials(replace(small, {"grid": {"train.weight_decay": [0.1, 0.2]}, "seeds": [5, 3]}))


def probe(trial: Trial, epoch: int, loss: float, accuracy: float) -> list[Row]:
    """The whole network's measurements and one of a layer."""
    named = [(None, "loss", loss), (None, "accuracy", accuracy), (2, "rank", 10.0 * epoch)]
    return [(trial.id, epoch, layer, metric, value) for layer, metric, value in named]


def outcomes(trials: list[Trial]) -> dict[str, Outcome]:
    """Of four trials one interpolates, one underfits, one diverged at epoch 2, and one has not ended."""
    a, b, c, d = trials
    first = probe(b, 1, 0.9, 0.2) + probe(b, 6, 0.5, 0.99) + probe(a, 1, 0.8, 0.3) + probe(a, 6, 0.1, 0.999)
    second = probe(c, 1, 0.7, 0.1) + probe(c, 6, math.nan, math.nan) + probe(d, 1, 0.6, 1.0)
    # c's stack has not ended, nor has d; their last probes are of different epochs.
    return {"two": Outcome(second, {c.id: 2}), "one": Outcome(first, finished=True)}


def test_metrics_are_in_the_order_of_the_trials_and_each_probe_s_own(trials: list[Trial]) -> None:
    table = metrics_table(trials, outcomes(trials))
    assert list(table["trial"].unique()) == [trial.id for trial in trials]
    assert table.groupby("trial", sort=False)["epoch"].apply(list).tolist() == [[1] * 3 + [6] * 3] * 3 + [[1] * 3]
    assert table["metric"].tolist() == ["loss", "accuracy", "rank"] * 7
    assert str(table["layer"].dtype) == "Int64"


def test_a_row_a_trial_with_what_it_was_at_its_last_probe(trials: list[Trial]) -> None:
    found = outcomes(trials)
    table = trials_table(trials, found, metrics_table(trials, found), ["rank"])
    assert table["id"].tolist() == [trial.id for trial in trials]
    expected = pd.DataFrame(
        [
            ["interpolated", 5, 0.1, 6, 0.1, 0.999, 60.0],
            ["underfit", 3, 0.1, 6, 0.5, 0.99, 60.0],
            ["diverged", 5, 0.2, 2, math.nan, math.nan, 60.0],
            ["unfinished", 3, 0.2, 1, 0.6, 1.0, 10.0],
        ],
        columns=["status", "seed", "train.weight_decay", "epochs", "loss", "accuracy", "rank"],
    )
    pd.testing.assert_frame_equal(table.drop(columns="id"), expected)


def test_a_trial_of_which_nothing_was_measured_has_no_epoch_and_no_loss(trials: list[Trial]) -> None:
    table = trials_table(trials, {}, metrics_table(trials, {}), [])
    assert set(table["status"]) == {"unfinished"}
    assert set(table["epochs"]) == {0}
    assert table["loss"].isna().all()


@pytest.mark.parametrize(
    ("accuracy", "diverged", "finished", "status"),
    [
        (0.999, False, True, "interpolated"),
        (0.9989, False, True, "underfit"),
        (math.nan, False, True, "underfit"),
        (1.0, True, True, "diverged"),
        (1.0, True, False, "diverged"),
        (1.0, False, False, "unfinished"),
    ],
)
def test_status(trials: list[Trial], accuracy: float, diverged: bool, finished: bool, status: str) -> None:
    assert trial_status(trials[0], accuracy, diverged, finished) == status


def test_what_is_not_trained_is_measured(small: Config) -> None:
    (trial,) = make_trials(replace(small, {"train.method": Method.none.name}))
    assert trial_status(trial, math.nan, False, True) == "measured"
    assert trial_status(trial, math.nan, False, False) == "unfinished"

"""Which trials count as equally long, on tables of a few rows, and what was trained to the end of its schedule."""

import dataclasses
import math

import pandas as pd
import pytest

from nc_runner.config.choices import Schedule
from nc_runner.config.schema import Config, TrainConfig
from nc_runner.experiments.base import Results
from nc_runner.experiments.pan2023.equal_times import EPOCHS, LEVEL, annealed, growth, share, shared
from nc_runner.experiments.pan2023.fits import WEIGHT_DECAY


def rows(*of: tuple[float, float, int]) -> pd.DataFrame:
    """(level, weight decay, seed) each."""
    return pd.DataFrame(of, columns=[LEVEL, WEIGHT_DECAY, "seed"]).assign(**{EPOCHS: 100})


def test_every_weight_decay_has_to_be_there() -> None:
    assert shared(rows((12, 1e-3, 0), (3, 1e-2, 0)), LEVEL, 10).empty
    assert shared(rows((12, 1e-3, 0), (13, 1e-2, 0)), LEVEL, 10).empty
    assert len(shared(rows((12, 1e-3, 0), (12, 1e-2, 0), (30, 1e-3, 0)), LEVEL, 10)) == 2


def test_a_seed_that_is_there_twice_is_one() -> None:
    """At 20 each weight decay has three trials, but two of them are of one seed; at 12 there are three seeds."""
    twice = [(20.0, decay, seed) for decay in (1e-3, 1e-2) for seed in (0, 0, 1)]
    thrice = [(12.0, decay, seed) for decay in (1e-3, 1e-2) for seed in (0, 1, 2)]
    assert set(shared(rows(*twice, *thrice), LEVEL)[LEVEL]) == {12}


def grown(*gaps: float) -> pd.DataFrame:
    return pd.DataFrame({WEIGHT_DECAY: [1e-3, 2e-3, 4e-3][: len(gaps)], "gap": gaps})


def test_growth_is_from_the_smallest_weight_decay_to_the_largest() -> None:
    assert growth(grown(0.2, 0.9, 0.5)) == pytest.approx(0.3)
    assert math.isnan(growth(grown(0.2)))
    assert share(grown(0.2, 0.6), grown(0.5, 0.6)) == pytest.approx(0.75)
    assert math.isnan(share(grown(0.6, 0.2), grown(0.5, 0.6)))


def trained(epochs: int, done: list[int]) -> Results:
    train = TrainConfig(epochs=epochs, schedule=Schedule.cosine)
    trials = pd.DataFrame({"id": [f"{n}" for n in range(len(done))], "status": "interpolated", "epochs": done})
    return Results(Config(train=train), trials, pd.DataFrame(columns=["trial", "epoch", "layer", "metric", "value"]))


def test_annealed_goes_by_the_step_size_of_the_last_epoch_trained() -> None:
    """Of a cosine over five epochs the last one still has (1 + cos(4 pi / 5)) / 2 of the first step size."""
    assert annealed(trained(5, [5])).found == f"{(1 + math.cos(0.8 * math.pi)) / 2:.2g} at the most"
    assert not annealed(trained(5, [5])).met
    assert annealed(trained(100, [100])).met
    assert annealed(trained(100, [100, 0])).found == "1 at the most"
    assert not annealed(trained(100, [])).met
    without = trained(100, [50])
    without = dataclasses.replace(without, trials=without.trials.drop(columns="epochs"))
    assert annealed(without).met

"""What a claim may decide on a value that is not finite, with claims that do not ask for it."""

import math

import pandas as pd
import pytest
from tables import make_results

from nc_runner.config.schema import Config
from nc_runner.experiments.base import Claim, Experiment, Results, Verdict
from nc_runner.figures.drawing import Drawing
from nc_runner.run.undefined import drawable, judged, undefined


def tables(*values: float, metric: str = "spread", status: str = "interpolated") -> Results:
    """A trial a value, whose last probe it is."""
    trials: list[list[object]] = [[f"t{i}", status, i, 2, 0.1, 1.0] for i in range(len(values))]
    rows: list[list[object]] = []
    for i, value in enumerate(values):
        rows += [[f"t{i}", 1, None, metric, 1.0], [f"t{i}", 2, None, metric, value]]
    return make_results(Config(), [], trials, rows)


def claims(results: Results) -> list[Claim]:
    values = results.final()["spread"]
    return [
        Claim("small", "", "", f"at most {values.max():.2g}", bool((values <= 0.5).all())),
        Claim("many", "", "", f"{len(values)} trials", len(values) > 1),
        Claim("ratio", "", "", f"{(values / values).max():.2g}", True),
    ]


def no_figure(_: Results) -> dict[str, Drawing]:
    return {}


EXPERIMENT = Experiment("pan2023", "1", "", "", lambda *_: [], no_figure, claims)


def verdicts(results: Results) -> dict[str, str]:
    return {claim.id: claim.verdict.value for claim in judged(EXPERIMENT, results)}


def test_finite_values_decide() -> None:
    assert verdicts(tables(0.1, 0.2)) == {"small": "reproduced", "many": "reproduced", "ratio": "reproduced"}
    assert verdicts(tables(0.1, 0.9))["small"] == "not reproduced"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_rests_on_another_value_is_undecided_and_says_so(value: float) -> None:
    found = judged(EXPERIMENT, tables(0.1, value))
    assert [claim.verdict for claim in found[:2]] == [Verdict.undecided, Verdict.reproduced]
    assert [need.name for need in found[0].lacks] == ["finite numbers"]


def test_a_quotient_of_zeros_decides_nothing() -> None:
    assert verdicts(tables(0.0, 0.0)) == {"small": "reproduced", "many": "reproduced", "ratio": "undecided"}


def test_of_a_bound_infinity_is_a_value() -> None:
    trials = tables(0.1, math.inf, metric="spread_bound")
    assert not undefined(trials.metrics).any()
    assert undefined(tables(0.1, math.inf).metrics).tolist() == [False, False, False, True]
    assert undefined(tables(0.1, math.nan, metric="spread_bound").metrics).tolist() == [False, False, False, True]


@pytest.mark.parametrize("status", ["diverged", "unfinished"])
def test_nothing_is_decided_where_no_trial_is_usable(status: str) -> None:
    found = judged(EXPERIMENT, tables(0.1, 0.2, status=status))
    assert {claim.verdict for claim in found} == {Verdict.undecided}
    assert [need.name for need in found[1].lacks] == ["usable trials"]


def test_inf_is_drawn_as_nan_and_the_tables_stay_as_they_are() -> None:
    results = tables(0.1, math.inf)
    assert drawable(results).metrics["value"].isna().tolist() == [False, False, False, True]
    assert math.isinf(results.metrics["value"].iloc[3])
    pd.testing.assert_frame_equal(drawable(tables(0.1, 0.2)).trials, tables(0.1, 0.2).trials)

"""The claims on the number of linear layers, on tables made so that each holds or fails."""

import dataclasses
import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from experiments.jacot2025.depth_tables import NC1, NC2, OLD_RESNET, RESNET, linear, verdicts
from nonsense import without_needs

from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import ModelName
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025 import depth_claims, linear_head_depth, linear_head_depth_resnet
from nc_runner.experiments.jacot2025.conditions import enough_fit
from nc_runner.experiments.jacot2025.depth_claims import claims, goes, nc1_hardly_varies, nc2_of_balanced_head
from nc_runner.experiments.jacot2025.ends import BALANCED, DECAY, LINEAR, both_ends


@pytest.mark.parametrize("words", [("experiment=linear_head_depth",), RESNET, (*RESNET, "data=mnist")])
def test_all_hold_on_a_table_made_so(words: tuple[str, ...]) -> None:
    found = claims(linear(words=words))
    assert {claim.verdict for claim in found} == {Verdict.reproduced}
    assert all(claim.needs and claim.number for claim in found)


def test_a_folder_of_before_lacks_the_paper_s_sizes_alone() -> None:
    lacks = {claim.id: [need.name for need in claim.lacks] for claim in claims(linear(words=OLD_RESNET))}
    assert set(map(tuple, lacks.values())) == {(), ("at the paper's sizes",)}
    assert [name for name, lacking in lacks.items() if lacking] == [
        "nc2_better_with_depth", "nc2_input_worse", "nc1_hardly_varies"
    ]  # fmt: skip


def test_both_experiments_have_the_same_claims_and_the_same_figure() -> None:
    mlp, resnet = linear_head_depth.EXPERIMENT, linear_head_depth_resnet.EXPERIMENT
    assert (mlp.claims, mlp.figures, mlp.measure) == (resnet.claims, resnet.figures, resnet.measure)
    assert (mlp.figure, resnet.figure) == ("2", "2, 5")


@pytest.mark.parametrize(
    ("fail", "changes"),
    [
        ("nc2_better_with_depth", {"worse": True}),
        ("nc2_input_worse", {"inputs": -0.05}),
        ("nc1_hardly_varies", {"nc1": 2.05 ** (1 / 4)}),
        ("nc1_hardly_varies", {"nc1": 2.05 ** (-1 / 4)}),
        ("nc2_of_balanced_head", {"balanced": 1.08}),
        ("nc2_of_balanced_head", {"balanced": 0.93}),
        ("theorem_b1_nc1 theorem_b1_nc2 sharper_nc1 sharper_nc2", {"bound": 0.9}),
    ],
)
def test_each_can_fail_and_no_other_suffers(fail: str, changes: dict[str, float]) -> None:
    of = verdicts(linear(**changes))  # type: ignore[arg-type]
    assert {name for name, verdict in of.items() if verdict is Verdict.not_reproduced} == set(fail.split())
    assert set(of.values()) == {Verdict.reproduced, Verdict.not_reproduced}


@pytest.mark.parametrize(
    "changes", [{"nc1": 1.95 ** (1 / 4)}, {"balanced": 1.05}, {"balanced": 0.95}, {"bound": 1.0}, {"inputs": 1e-3}]
)
def test_just_inside_a_limit_everything_holds(changes: dict[str, float]) -> None:
    assert set(verdicts(linear(**changes)).values()) == {Verdict.reproduced}  # type: ignore[arg-type]


def undecided(table: Results) -> set[str]:
    return {name for name, verdict in verdicts(table).items() if verdict is Verdict.undecided}


OF_DEPTH = {"nc2_better_with_depth", "nc2_input_worse", "nc1_hardly_varies"}


def test_what_lacks_leaves_undecided_what_needs_it() -> None:
    few = linear(words=("experiment=linear_head_depth", "train.epochs=1400"))  # 9.9 decay times at the least
    assert undecided(few) == OF_DEPTH | {"nc2_of_balanced_head"}
    assert undecided(linear(words=("experiment=linear_head_depth", "train.epochs=1600"))) == OF_DEPTH
    assert undecided(linear(words=("experiment=linear_head_depth", "model.width=100"))) == set()  # the paper has none
    assert undecided(linear(seeds=2)) == OF_DEPTH
    table = linear()
    one_short = table.trials["status"].where(table.trials["id"] != "2-0.004-1", "underfit")
    assert undecided(dataclasses.replace(table, trials=table.trials.assign(status=one_short))) == OF_DEPTH


def ends(random: np.random.Generator, column: str, power: float, *, seeds: int = 5) -> pd.DataFrame:
    """A column that goes like the number of linear layers to a power, with a tenth of noise, as runs have it."""
    rows = itertools.product(range(1, 6), (1e-3, 4e-3), range(seeds))
    table = pd.DataFrame(rows, columns=[LINEAR, DECAY, "seed"])
    noise = np.exp(0.1 * random.normal(size=len(table)))
    return table.assign(**{f"{place}_{column}": noise * table[LINEAR] ** power for place in ("last", "input")})


@pytest.mark.parametrize(
    ("name", "power", "holds"),
    [
        ("better", -0.3, True), ("better", 0.0, False), ("better", 0.1, False),
        ("worse", 0.3, True), ("worse", 0.0, False), ("worse", -0.1, False),
        ("hardly", 0.2, True), ("hardly", -0.2, True), ("hardly", 0.6, False), ("hardly", -0.6, False),
    ],
)  # fmt: skip
def test_noise_is_told_from_a_trend(name: str, power: float, holds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 200 tables: refused in at most 5 % where it holds, believed in at most 5 % where it does not."""
    without_needs(monkeypatch, depth_claims)
    random, of = np.random.default_rng(7), linear()
    enough = enough_fit(of)
    judge = {
        "better": lambda t: goes(of, t, enough, depth_claims.NC2_BETTER, f"last_{NC2}", rising=False),
        "worse": lambda t: goes(of, t, enough, depth_claims.NC2_INPUT_WORSE, f"input_{NC2}", rising=True),
        "hardly": lambda t: nc1_hardly_varies(of, t, enough),
    }[name]
    column = NC1 if name == "hardly" else NC2
    found = Counter(judge(ends(random, column, power)).verdict for _ in range(200))
    wrong = Verdict.not_reproduced if holds else Verdict.reproduced
    assert found[wrong] <= 10, found
    if holds:
        assert found[Verdict.reproduced] >= 160, found


def test_a_balanced_head_is_told_from_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    without_needs(monkeypatch, depth_claims)
    random, of = np.random.default_rng(7), linear()
    for off, wrong in ((1.0, Verdict.not_reproduced), (1.2, Verdict.reproduced)):
        found = Counter()
        for _ in range(200):
            table = ends(random, NC2, -1.0)
            noise = np.exp(0.04 * random.normal(size=len(table)))  # 2.9 % on average in the runs
            found[nc2_of_balanced_head(of, table.assign(**{BALANCED: off * noise * table[f"last_{NC2}"]})).verdict] += 1
        assert found[wrong] <= 10


def test_the_last_layer_is_the_one_before_the_output_and_the_input_the_last_nonlinear_one() -> None:
    ends = both_ends(linear()).set_index("id")
    assert ends.loc["1-0.001-0", f"last_{NC2}"] == ends.loc["1-0.001-0", f"input_{NC2}"] == pytest.approx(21)
    assert ends.loc["4-0.001-0", f"last_{NC2}"] == pytest.approx(24**0.25)
    assert ends.loc["4-0.001-0", f"input_{NC2}"] == pytest.approx(24)


@pytest.mark.parametrize("data", ["cifar10", "mnist"])
def test_the_lower_row_and_figure_5_are_of_the_same_networks(data: str) -> None:
    config = compose([*RESNET, f"data={data}"])
    assert config.model.name is ModelName.resnet20
    assert config.grid["model.depth,model.linear_layers"] == [[layers + 1, layers] for layers in range(1, 7)]
    assert config.train.epochs == 5000
    assert config.data.per_class == {"cifar10": 5000, "mnist": 5421}[data]


def test_a_point_without_a_run_that_fits_leaves_the_depths_undecided() -> None:
    table = linear()
    first = table.trials[[LINEAR, DECAY]].iloc[0]
    lost = (table.trials[[LINEAR, DECAY]] == first).all(axis=1)
    trials = table.trials.assign(status=table.trials["status"].mask(lost, "diverged"))
    assert undecided(Results(table.config, trials, table.metrics)) == OF_DEPTH

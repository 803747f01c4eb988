"""Needs and verdicts: each need met and not met, and no verdict while one is not met."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tables import make_results

from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import DataName
from nc_runner.experiments import needs
from nc_runner.experiments.base import Claim, Kind, Need, Results, Statement, Verdict
from nc_runner.experiments.decay import decay_times_of

DECAYS = [1e-3, 1e-2]


def results(statuses: str = "iiii", **changes: Any) -> Results:
    """Two weight decays, two seeds; a status by its first letter."""
    words = {"i": "interpolated", "u": "underfit", "d": "diverged", "x": "unfinished"}
    keys = ["experiment=bn_wd_sweep", "seeds=2", f"grid={{model.norm:[affine],train.weight_decay:{DECAYS}}}"]
    config = compose([*keys, *(f"{key}={value}" for key, value in changes.items())])
    trials: list[list[object]] = []
    rows: list[list[object]] = []
    for i, status in enumerate(statuses):
        trials.append([f"t{i}", words[status], i % 2, "affine", DECAYS[i // 2], config.train.epochs, 0.1, 1.0 - i / 10])
        rows.append([f"t{i}", config.train.epochs, None, "gradient", 0.01 * (i + 1)])
    return make_results(config, ["model.norm", "train.weight_decay"], trials, rows)


def without(found: Results, *places: int) -> Results:
    return found.only(~found.trials.index.isin(places))


def statement(*of: Any) -> Statement:
    return Statement("id", "short", "text", "section 1", "rule", of)


@pytest.mark.parametrize(
    ("need", "met", "unmet", "found"),
    [
        (needs.interpolates, results(), results("iiui"), "3 of 4 trials, the least 0.7000"),
        (needs.finished, results("iuui"), results("iidx"), "2 of 4"),
        (needs.seeds(2), results(), results("iiix"), "1"),
        (needs.seeds(2), results(), results("iiid"), "1"),
        (needs.grid_complete(), results(), without(results(), 2, 3), "missing train.weight_decay=0.01"),
        (
            needs.grid_complete("model.norm"),
            without(results(), 2, 3),
            without(results(), 0, 1, 2, 3),
            "missing model.norm=affine",
        ),
        (
            needs.grid_complete("train.weight_decay"),
            results("iidd"),
            results("iixx"),
            "missing train.weight_decay=0.01",
        ),
        (needs.stationary("gradient", 0.04), results(), results(), None),
        (needs.data_is(DataName.conic_hull), results(data="conic_hull"), results(), "data=teacher"),
        (needs.at_least("wide", {"model.width": 200}), results(), results(**{"model.width": 100}), "model.width=100"),
        (needs.at_least("decay", {"train.weight_decay": 1e-3}), results(), results(**{"train.weight_decay": 0}), None),
    ],
)
def test_a_need_is_met_or_says_what_was_found(need: Any, met: Results, unmet: Results, found: str | None) -> None:
    assert need(met).met
    if found is not None:
        assert not need(unmet).met
        assert need(unmet).found == found


@pytest.mark.parametrize(("most", "met"), [(0.04, True), (0.0399, False)])
def test_stationary_is_about_the_worst_trial(most: float, met: bool) -> None:
    assert needs.stationary("gradient", most)(results()).met is met
    assert not needs.stationary("not there", most)(results()).met
    undefined = results()
    undefined.metrics.loc[1, "value"] = math.nan
    assert not needs.stationary("gradient", 1.0)(undefined).met


def test_a_key_that_is_null_at_a_point_is_a_value_like_others() -> None:
    found = results()
    nulls = found.trials["train.weight_decay"].where(found.trials["train.weight_decay"] > DECAYS[0])
    for which, need in (("ii", True), ("ix", False)):
        table = results(f"{which}ii").trials.assign(**{"train.weight_decay": nulls})
        assert needs.seeds(2)(dataclasses.replace(found, trials=table)).met is need


def test_nothing_is_no_evidence() -> None:
    nothing = without(results(), 0, 1, 2, 3)
    for need in (needs.interpolates, needs.finished, needs.seeds(1), needs.decay_times(1e-9), needs.grid_complete()):
        assert not need(nothing).met


def test_sizes_of_the_paper() -> None:
    found = needs.at_paper_sizes()(results(**{"train.epochs": 3}))
    assert not found.met
    assert "train.epochs" in found.found
    assert "train.weight_decay" in found.found
    besides = ("train", "seeds", "model.norm")
    assert needs.at_paper_sizes(*besides)(results(**{"train.epochs": 3})).met


def test_decay_times_by_hand() -> None:
    """Every step of the schedule; the slower of the two weight decays; epochs that were trained, not planned."""
    words = {"train.epochs": 8, "data.samples": 100, "train.batch_size": 30, "train.lr_milestones": "[0.5]"}
    of = results(**words, **{"train.learning_rate": 0.1, "train.lr_gamma": 0.1, "train.momentum": 0.5})
    steps = [4 * 0.1] * 4 + [4 * 0.01] * 4  # four batches an epoch, the last of ten
    for place, decay in enumerate([1e-3, 1e-3, 1e-2, 1e-2]):
        assert decay_times_of(of)[place] == pytest.approx(2 * decay * math.fsum(steps) / 0.5)
    first = results(**words, **{"train.learning_rate": 0.1, "train.momentum": 0.5, "train.weight_decay_first": 2e-3})
    assert decay_times_of(first).tolist() == pytest.approx(
        [x * k for x, k in zip(decay_times_of(of), [1, 1, 0.2, 0.2], strict=True)]
    )
    stopped = dataclasses.replace(of, trials=of.trials.assign(epochs=4))
    assert decay_times_of(stopped)[0] == pytest.approx(2e-3 * math.fsum(steps[:4]) / 0.5)
    until = decay_times_of(of, pd.Series([4.0, 9.0, 0.0, 8.0]))
    assert until.tolist() == pytest.approx(
        [decay_times_of(stopped)[0], decay_times_of(of)[1], 0, decay_times_of(of)[3]]
    )
    need = needs.decay_times()(of)
    assert (need.required, need.met) == ("10 or more in every trial", False)


@pytest.mark.parametrize(
    ("holds", "met", "verdict"),
    [
        (True, True, Verdict.reproduced),
        (False, True, Verdict.not_reproduced),
        (True, False, Verdict.undecided),
        (False, False, Verdict.undecided),
        (None, True, Verdict.undecided),
    ],
)
def test_no_verdict_while_a_need_is_not_met(holds: bool | None, met: bool, verdict: Verdict) -> None:
    def need(results: Results) -> Need:
        return Need("a need", "this", "that", met)

    claim = statement(needs.finished, need).judged(results(), holds, "measured", "1")
    assert claim.verdict is verdict
    further = statement(needs.finished).judged(results(), holds, "measured", needs=[need(results())])
    assert further.verdict is verdict
    assert [lack.name for lack in claim.lacks] == ["a need"] * (not met) + ["something to judge"] * (holds is None)
    record = claim.record("pan2023")
    assert (record["verdict"], record["kind"], len(record["needs"])) == (verdict.value, "paper", 2 + (holds is None))


def test_a_verdict_cannot_be_set() -> None:
    claim = Claim("id", "text", "rule", "measured", True, needs=[Need("a", "b", "c", met=False)])
    with pytest.raises(TypeError):
        dataclasses.replace(claim, verdict=Verdict.reproduced)  # type: ignore[call-arg]
    assert Kind("ours") is Kind.ours


def test_a_need_that_numpy_found_met_can_be_written() -> None:
    statement = Statement("id", "short", "text", "source", "rule", needs=())
    need = Need("name", "required", "found", np.float64(2.0) > 1)  # type: ignore[arg-type]
    record = statement.judged(None, True, "measured", needs=[need]).record("pan2023")
    assert json.loads(json.dumps(record))["needs"][0]["met"] is True


@pytest.mark.parametrize(
    ("need", "words", "found"),
    [
        (needs.plain_sgd, {"train.optimizer": "adam"}, "train.optimizer=adam"),
        (needs.plain_sgd, {"train.optimizer": "nesterov"}, "train.optimizer=nesterov"),
        (needs.plain_sgd, {"train.schedule": "cosine"}, "train.schedule=cosine"),
        (needs.plain_sgd, {"train.lr_warmup": 0.1}, "train.lr_warmup=0.1"),
        (needs.plain_sgd, {"train.gradient_clip": 2}, "train.gradient_clip=2"),
        (needs.plain_sgd, {"train.label_smoothing": 0.1, "model.dropout": 0.5}, "label_smoothing=0.1, model.dropout=0"),
        (needs.plain_network, {"train.label_smoothing": 0.1}, "train.label_smoothing=0.1"),
        (needs.plain_network, {"model.activation": "gelu"}, "model.activation=gelu"),
        (needs.plain_network, {"model.norm_on": "[2]"}, "model.norm_on=[2]"),
        (needs.plain_network, {"model.dropout": 0.5}, "model.dropout=0.5"),
        (needs.data_as_drawn, {"data.label_noise": 0.1}, "data.label_noise=0.1"),
        (needs.data_as_drawn, {"data.imbalance": 10}, "data.imbalance=10"),
        (needs.data_is(DataName.teacher), {"data.imbalance": 10}, "data=teacher, data.imbalance=10"),
        (needs.at_paper_sizes("seeds", "train.weight_decay", "model.norm"), {"train.optimizer": "adam"}, "optimizer"),
    ],
)
def test_what_a_theory_assumes_of_training_network_and_data(need: Any, words: dict[str, Any], found: str) -> None:
    assert need(results()).met
    unmet = need(results(**words))
    assert not unmet.met
    assert found in unmet.found


def test_what_some_trials_have_counts_too() -> None:
    of = results()
    for key, values in (("train.optimizer", ["sgd", "adam"] * 2), ("train.gradient_clip", [1.0, math.nan] * 2)):
        mixed = dataclasses.replace(of, trials=of.trials.assign(**{key: values}))
        assert not needs.plain_sgd(mixed).met
        assert needs.plain_sgd(mixed.only(mixed.trials.index.isin([0, 2]))).met is (key == "train.optimizer")


def test_decay_times_are_known_of_sgd_alone() -> None:
    for optimizer in ("adam", "adamw"):
        of = results(**{"train.optimizer": optimizer})
        assert decay_times_of(of).isna().all()
        need = needs.decay_times(1e-9)(of)
        assert (need.met, need.found) == (False, f"not known with train.optimizer={optimizer}")
    assert decay_times_of(results(**{"train.optimizer": "nesterov"})).tolist() == decay_times_of(results()).tolist()
    mixed = results()
    mixed = dataclasses.replace(mixed, trials=mixed.trials.assign(**{"train.optimizer": ["sgd", "adam"] * 2}))
    assert decay_times_of(mixed).isna().tolist() == [False, True] * 2
    assert not needs.decay_times(1e-9)(mixed).met


def test_decay_times_go_by_the_schedule() -> None:
    words = {"train.epochs": 8, "train.lr_milestones": "[0.5]", "train.lr_gamma": 0.1}
    steps, constant, cosine = (
        decay_times_of(results(**words, **{"train.schedule": name})) for name in ("steps", "constant", "cosine")
    )
    assert (constant / steps).tolist() == pytest.approx([8 / 4.4] * 4)
    sizes = [(1 + math.cos(math.pi * epoch / 8)) / 2 for epoch in range(8)]
    assert (cosine / constant).tolist() == pytest.approx([sum(sizes) / 8] * 4)
    gentle = results(**words | {"train.lr_gamma": 0.5})
    assert (decay_times_of(gentle) / steps).tolist() == pytest.approx([6 / 4.4] * 4)
    of_both = dataclasses.replace(gentle, trials=gentle.trials.assign(**{"train.lr_gamma": [0.5, 0.1, 0.5, 0.1]}))
    assert (decay_times_of(of_both) / steps).tolist() == pytest.approx([6 / 4.4, 1] * 2)
    warm = decay_times_of(results(**words, **{"train.schedule": "constant", "train.lr_warmup": 0.25}))
    assert (warm / constant).tolist() == pytest.approx([(1 / 3 + 2 / 3 + 6) / 8] * 4)


def test_claims_on_the_same_trials_ask_a_need_once() -> None:
    asked = []

    def counted(of: Results) -> Need:
        asked.append(len(of.trials))
        return needs.interpolates(of)

    whole = results("iiui")
    for _ in range(3):
        fits = whole.only(whole.trials["status"] == "interpolated")
        assert statement(counted).judged(fits, True, "").verdict is Verdict.reproduced
    assert statement(counted).judged(whole, True, "").verdict is Verdict.undecided
    assert asked == [3, 4]

"""Gram matrices that turn into blocks: each claim on tables made so that it holds, fails or cannot be decided."""

import dataclasses

import numpy as np
import pytest
from experiments.zangrando2026.gram_block_tables import CONFIG, results
from nonsense import (
    assert_nan_decides_nothing,
    assert_nonsense_changes_nothing,
    assert_order_changes_nothing,
    assert_refused_and_passed_rarely,
    by_id,
    verdicts,
    without_needs,
)

from nc_runner.config.schema import ModelConfig
from nc_runner.experiments.base import Verdict
from nc_runner.experiments.zangrando2026.gram_blocks import EXPERIMENT
from nc_runner.experiments.zangrando2026.gram_blocks import claims as module


def test_all_hold_on_a_table_made_so():
    assert set(verdicts(EXPERIMENT, results()).values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("claim", "within", "without"),
    [
        ("blocks_appear", {"block": 0.0099}, {"block": 0.0101}),
        ("blocks_appear", {"early_block": 0.199}, {"early_block": 0.201}),
        ("clusters_tighten", {"variation": 0.0499}, {"variation": 0.0501}),
        ("classes_orthogonal_relu", {"cosines": (0.0999, 0.02)}, {"cosines": (0.1001, 0.02)}),
        ("classes_orthogonal_linear", {"cosines": (0.05, 0.0999)}, {"cosines": (0.05, 0.1001)}),
        ("classes_orthogonal_relu", {}, {"cosines": (0.05, 0.02), "first_cosine": 0.03}),
    ],
)
def test_each_fails_alone_just_outside_and_holds_just_inside(claim, within, without):
    assert set(verdicts(EXPERIMENT, results(**within)).values()) == {Verdict.reproduced}
    of = verdicts(EXPERIMENT, results(**without))
    assert of.pop(claim) is Verdict.not_reproduced
    assert set(of.values()) == {Verdict.reproduced}


@pytest.mark.parametrize(
    ("lacks", "changes"),
    [
        ("seeds", {"seeds": 4}),
        ("stationary", {"gradient": 0.0101}),
        ("decay times", {"epochs": (1, 24)}),
        ("interpolation possible", {"config": dataclasses.replace(CONFIG, model=ModelConfig(depth=2, width=5))}),
        ("noisy samples", {"config": dataclasses.replace(CONFIG, data=dataclasses.replace(CONFIG.data, sigma=0))}),
    ],
)
def test_without_a_need_nothing_is_decided_and_it_is_named(lacks, changes):
    for claim in by_id(EXPERIMENT, results(**changes)).values():
        assert claim.verdict is Verdict.undecided
        assert [need.name for need in claim.lacks] == [lacks]


def test_without_one_activation_what_is_said_of_both_is_undecided():
    of = by_id(EXPERIMENT, results(activations=("relu",)))
    assert [need.name for need in of["blocks_appear"].lacks] == ["grid complete"]
    assert of["classes_orthogonal_relu"].verdict is Verdict.reproduced


@pytest.mark.parametrize("changes", [{"status": "underfit"}, {"epochs": (100,)}])
def test_nothing_is_decided_of_networks_that_do_not_fit_or_of_one_probe(changes):
    assert set(verdicts(EXPERIMENT, results(**changes)).values()) == {Verdict.undecided}


def test_nothing_that_says_nothing_changes_a_verdict():
    assert_nonsense_changes_nothing(EXPERIMENT, results())
    assert_nonsense_changes_nothing(EXPERIMENT, results(block=0.1, variation=0.3, cosines=(0.2, 0.2)), ["underfit"])
    assert_order_changes_nothing(EXPERIMENT, results())
    assert assert_nan_decides_nothing(EXPERIMENT, results()) >= 6


def test_what_appears_is_told_from_what_stays(monkeypatch):
    """Values at a third of the limits with a quarter of scatter, against those of the first probe with the same."""
    without_needs(monkeypatch, module)
    monkeypatch.setattr(module, "NEEDS", ())
    draw, table = np.random.default_rng(0), results()
    names = ("within_block_share", "relative_cluster_variation", "mean_abs_class_cosine")
    probed = {name: module.first_and_last(table, name) for name in names}
    parts = {of: table.only(table.trials[module.ACTIVATION] == of) for of in ("relu", "linear")}

    def simulated(ends):
        drawn = {
            name: rows.assign(last=ends[name] * np.exp(draw.normal(0, 0.25, len(rows))))
            for name, rows in probed.items()
        }
        monkeypatch.setattr(
            module, "first_and_last", lambda of, name: drawn[name][drawn[name]["id"].isin(of.trials["id"])]
        )
        found = [module.blocks_appear(table), module.clusters_tighten(table)]
        found += [module.classes_become_orthogonal(part, activation) for activation, part in parts.items()]
        return {claim.id: claim.verdict for claim in found}

    held = [simulated(dict(zip(names, (0.003, 0.016, 0.03), strict=True))) for _ in range(200)]
    failed = [simulated(dict(zip(names, (0.2, 0.5, 0.4), strict=True))) for _ in range(200)]
    for claim in held[0]:
        assert_refused_and_passed_rarely([of[claim] for of in held], [of[claim] for of in failed])

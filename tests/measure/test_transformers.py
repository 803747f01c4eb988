"""The callback in transformers' Trainer: what is logged, when, and that training goes on as if it were not there."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import networks
import pytest
import torch
from trainers import BATCHES, INPUTS, RATIO, Noisy, Stream, by_hand, drawn, same, seed
from trainers import hugging_callback as callback
from trainers import hugging_trainer as trainer


def add(to: Any, **methods: Any) -> None:
    """Add a callback that does this."""
    to.add_callback(type("Added", (networks.transformers().TrainerCallback,), methods))


@pytest.mark.parametrize(("every", "epochs"), [(1, [1, 2, 3]), (2, [2, 3]), (3, [3]), (5, [3])])
def test_every_few_epochs_and_at_the_end_the_log_has_what_collect_finds(
    every: int, epochs: list[int], tmp_path: Path
) -> None:
    of = trainer(tmp_path)
    kept: list[Any] = []
    reported: list[dict[str, Any]] = []  # as to what report_to names
    add(
        of,
        on_epoch_end=lambda self, args, state, control, model, **rest: kept.append(copy.deepcopy(model)),
        on_log=lambda self, args, state, control, logs, **rest: reported.append(dict(logs)),
    )
    of.add_callback(callback(of, every=every, second_pass=True, covariance=True))
    of.train()
    measured = [entry for entry in of.state.log_history if RATIO in entry]
    assert [(entry["epoch"], entry["step"]) for entry in measured] == [(epoch, 5 * epoch) for epoch in epochs]
    for entry, epoch in zip(measured, epochs, strict=True):
        same(entry, by_hand(kept[epoch - 1], second_pass=True, covariance=True))
    assert "train_loss" in of.state.log_history[-1]  # the last, after which what report_to names may close
    assert [entry[RATIO] for entry in reported if RATIO in entry] == [entry[RATIO] for entry in measured]


@pytest.mark.parametrize("steps", [7, 10])
def test_of_an_unfinished_epoch_the_end_is_measured(steps: int, tmp_path: Path) -> None:
    of = trainer(tmp_path, max_steps=steps)
    of.add_callback(callback(of, every=3))
    of.train()
    (measured,) = [entry for entry in of.state.log_history if RATIO in entry]
    assert measured["step"] == steps
    same(measured, by_hand(of.model))


def test_an_epoch_that_was_cut_short_counts(tmp_path: Path) -> None:
    of = trainer(tmp_path)

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> None:
        control.should_epoch_stop = state.global_step == 7

    add(of, on_step_end=on_step_end)
    of.add_callback(callback(of, every=2))
    of.train()
    assert [entry["step"] for entry in of.state.log_history if RATIO in entry] == [7, 12]


def test_where_training_is_ended_after_an_epoch_its_network_is_measured(tmp_path: Path) -> None:
    of = trainer(tmp_path, eval_strategy="epoch")
    of.add_callback(callback(of, every=2))

    def on_evaluate(self: Any, args: Any, state: Any, control: Any, **rest: Any) -> None:
        control.should_training_stop = True

    add(of, on_evaluate=on_evaluate)
    for _ in range(2):  # and again where it trains again, up to the same step
        of.train()
        (measured,) = [entry for entry in of.state.log_history if RATIO in entry]
        assert measured["step"] == 5
        same(measured, by_hand(of.model))


def test_weights_and_the_rest_of_the_log_are_those_of_a_training_without_it(tmp_path: Path) -> None:
    def trained(measures: bool) -> tuple[Any, list[Any], list[float]]:
        of = trainer(tmp_path, Noisy(named=True), num_train_epochs=2)
        seed()
        if measures:
            of.add_callback(callback(of, second_pass=True))
        of.train()
        times = ("train_runtime", "train_samples_per_second", "train_steps_per_second")
        log = [{name: entry[name] for name in entry if name not in times} for entry in of.state.log_history]
        return of.model.state_dict(), [entry for entry in log if RATIO not in entry], drawn()

    expected, log, next_drawn = trained(False)
    found, log_too, next_drawn_too = trained(True)
    assert len(log) == 3  # two losses and the summary
    assert log_too == log
    assert next_drawn_too == next_drawn
    for name, weights in expected.items():
        assert torch.equal(found[name], weights), name


def test_samples_are_those_that_are_given(tmp_path: Path) -> None:
    of = trainer(tmp_path, num_train_epochs=1)
    held_out = [(inputs + 1, labels) for inputs, labels in BATCHES[:3]]
    of.add_callback(callback(of, held_out, layers="*net.4"))
    of.train()
    (measured,) = [entry for entry in of.state.log_history if RATIO in entry]
    same(measured, by_hand(of.model, held_out, layers="*net.4"))


MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "stream": ({"data": Stream(), "max_steps": 3}, {}, "the training data come by a Stream; which samples these are"),
    "no labels": ({}, {"loader": [{"x": INPUTS}]}, "a batch of the loader has no labels; it has x"),
    "pattern": ({}, {"layers": "block.*"}, r"layers has 'block\.\*', which no module's name matches"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_sentence_before_the_first_step(mistake: str, tmp_path: Path) -> None:
    trains, asked, sentence = MISTAKES[mistake]
    of = trainer(tmp_path, **trains)
    of.add_callback(callback(of, every=3, **asked))
    with pytest.raises(ValueError, match=sentence):
        of.train()
    assert of.model.steps == 0


@pytest.mark.parametrize("every", [0, 1.5])
def test_it_is_measured_every_epoch_or_more_seldom(every: Any) -> None:
    with pytest.raises(ValueError, match=f"every is {every}; it must be a whole number of epochs, 1 or more"):
        callback(None, every=every)

"""What a run will take: steps and seconds of each stack, a part of many images measured, the scale that would fit."""

import pytest
import torch
from torch import Tensor

from nc_runner.cli.mistakes import compose
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config
from nc_runner.config.trials import Trial, make_trials
from nc_runner.experiments.base import Measurement
from nc_runner.run import estimate
from nc_runner.run.estimate import Cost, fitting_scale, stack_seconds, steps_of, together
from nc_runner.run.plan import make_plan


@pytest.mark.parametrize(("words", "measured"), [(["data=digits"], 599), (["data=teacher", "data.samples=1797"], 1797)])
def test_of_images_a_part_of_every_class_is_measured(
    words: list[str], measured: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def measure(network: object, x: Tensor, y: Tensor, config: object) -> list[Measurement]:
        seen.append((len(x), len(y.unique())))
        return []

    # A clock of our own: ten steps take 5 s, so one 0.5, and a measurement takes 2 s the first time and 0.25 then.
    takes = iter([5.0, 2.0, 0.25])
    monkeypatch.setattr(estimate, "timed", lambda work, _: (work(), next(takes))[1])
    config = compose([*words, "model.width=8", "model.depth=2", "train.epochs=4", "train.batch_size=1000", "probes=2"])
    training, measuring = stack_seconds(make_trials(config), measure, torch.device("cpu"))
    assert seen == [(measured, config.data.classes)] * 2
    stride = 1797 // measured  # as many times the samples, as many times the measurement
    timed_steps = 4 * 2 - 3  # of the steps that there are, three have warmed up
    assert (training, measuring) == pytest.approx((4 * 2 * 5.0 / timed_steps, stride * 0.25 * 2))


def test_another_scale_keeps_the_axes_that_the_command_line_set() -> None:
    words = ["experiment=unregularized_collapse", "data=digits", "model=mlp", "scale=quick"]
    plan = make_plan(compose(words), words)
    (stack,) = plan.stacks_at("smoke").values()
    assert [(t.config.data.name.name, t.config.model.name.name) for t in stack] == [("digits", "mlp")]
    assert stack[0].config.data.per_class == 8
    assert [t.config.data.per_class for t in plan.trials] == [50]


def test_the_longest_stack_is_the_least_that_a_run_takes() -> None:
    assert together([Cost(1, 3.0), Cost(1, 5.0)], 1) == 8.0
    assert together([Cost(1, 3.0), Cost(1, 5.0)], 2) == 5.0
    assert together([Cost(1, 3.0), Cost(1, 5.0), Cost(1, 4.0)], 2) == 6.0
    assert together([Cost(1, 2.0, 1.0), Cost(1, 3.0, 2.0)], 1) == 8.0


def test_on_a_gpu_stacks_at_once_take_less_than_in_turn_and_more_than_their_share() -> None:
    costs = [Cost(1, 4.0)] * 3
    assert together(costs, 1, cuda=True) == 12.0
    assert together(costs, 3, cuda=True) == pytest.approx(7.8)
    assert together([Cost(1, 9.0), Cost(1, 1.0)], 2, cuda=True) == 9.0


def test_each_kind_of_stack_is_timed_once(small: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind is equal networks in equal number; seeds and weight decays are no kinds."""
    trials = make_trials(replace(small, {"grid": {"model.width": [7, 9], "train.weight_decay": [0.1, 0.2, 0.3]}}))
    narrow, wide = trials[:3], trials[3:]
    stacks = {"a": narrow[:2], "b": narrow[2:], "c": wide[:2], "d": wide[2:], "e": narrow[1:]}
    timed = []

    def seconds(stack: list[Trial], *_: object) -> tuple[float, float]:
        timed.append((stack[0].config.model.width, len(stack)))
        return 10.0 * stack[0].config.model.width, float(len(stack))

    monkeypatch.setattr(estimate, "stack_seconds", seconds)
    found = estimate.costs(stacks, lambda *_: [], torch.device("cpu"))
    assert timed == [(7, 2), (7, 1), (9, 2), (9, 1)]
    assert {name: cost.seconds for name, cost in found.items()} == {
        "a": 72.0, "b": 71.0, "c": 92.0, "d": 91.0, "e": 72.0
    }  # fmt: skip
    assert found["a"] == Cost(12, 70.0, 2.0)


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({}, 3 * 4),  # 60 samples in batches of 16: the last has 12
        ({"train.batch_size": 20}, 3 * 3),
        ({"train.batch_size": None}, 3),
        ({"train.batch_size": 100}, 3),
        ({"train.method": "none"}, 1),
        ({"train.method": "flow"}, 3),
    ],
)
def test_steps_of_a_trial(small: Config, changes: dict[str, object], steps: int) -> None:
    assert steps_of(replace(small, changes)) == steps


def test_the_largest_scale_that_fits_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = {"cpu": 2.0, "quick": 0.5, "smoke": 0.01}
    words = ["experiment=bn_wd_sweep"]
    plan = make_plan(compose(words), words)
    by_epochs = {plan_at: next(iter(plan.stacks_at(plan_at).values()))[0].config for plan_at in hours}

    def costs(stacks: dict[str, list[Trial]], *_: object) -> dict[str, Cost]:
        config = next(iter(stacks.values()))[0].config
        scale = next(name for name, other in by_epochs.items() if other.train.epochs == config.train.epochs)
        return {"a": Cost(1, 3600 * hours[scale])}

    monkeypatch.setattr(estimate, "costs", costs)
    assert fitting_scale(plan) == ("quick", 1800.0)
    hours.update(quick=3.0, smoke=3.0)
    assert fitting_scale(plan) is None

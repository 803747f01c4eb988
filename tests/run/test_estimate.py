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
def test_of_images_a_part_of_every_class_is_measured(words: list[str], measured: int) -> None:
    seen = []

    def measure(network: object, x: Tensor, y: Tensor, config: object) -> list[Measurement]:
        seen.append((len(x), len(y.unique())))
        return []

    config = compose([*words, "model.width=8", "model.depth=2", "train.epochs=1"])
    assert stack_seconds(make_trials(config), measure, torch.device("cpu")) > 0
    assert seen == [(measured, config.data.classes)] * 2


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

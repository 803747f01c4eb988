"""A plan decides and refuses everything before anything is written."""

import dataclasses
from pathlib import Path

import pytest

from nc_runner import data, experiments
from nc_runner.cli.mistakes import compose
from nc_runner.errors import UserError
from nc_runner.run import plan as planning
from nc_runner.run.plan import make_plan

WORDS = ["experiment=bn_wd_sweep", "scale=smoke"]


def test_a_plan_has_all_that_a_run_decides() -> None:
    words = [*WORDS, "model.norm=affine", "seeds=2", "jobs=3", "device=cpu"]
    plan = make_plan(compose(words), words)
    assert len(plan.trials) == 16
    assert {trial.varied["model.norm"] for trial in plan.trials} == {"affine"}
    assert sorted(trial.id for stack in plan.stacks.values() for trial in stack) == sorted(t.id for t in plan.trials)
    assert all(stack[0].id == name for name, stack in plan.stacks.items())
    assert plan.device.type == "cpu"
    assert plan.jobs == min(3, len(plan.stacks))
    assert plan.experiment is experiments.load("bn_wd_sweep")


def test_data_are_known_by_their_content() -> None:
    plan = make_plan(compose(WORDS), WORDS)
    (checksum,) = plan.data.values()
    other = make_plan(compose([*WORDS, "data.input_seed=1"]), WORDS)
    assert list(other.data.values()) != [checksum]
    assert list(make_plan(compose([*WORDS, "train.epochs=2"]), WORDS).data.values()) == [checksum]
    assert data.checksums([plan.config.data, plan.config.data]) == plan.data


def test_what_the_experiment_cannot_run_is_refused() -> None:
    words = ["experiment=collapse_movie", "scale=smoke", "data.classes=5"]
    with pytest.raises(UserError, match=r"^data\.classes=5: .*allowed are 3 and 4\.$"):
        make_plan(compose(words), words)


def test_a_missing_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = compose([*WORDS, "device=cuda"])
    with pytest.raises(UserError, match=r"^device=cuda: "):
        make_plan(config, WORDS)


def test_missing_data_are_refused(tmp_path: Path) -> None:
    words = ["experiment=linear_head_mlp", "scale=smoke", f"data.root={tmp_path}"]
    with pytest.raises(UserError, match=r"has no folder mnist"):
        make_plan(compose(words), words)


def test_a_plan_cannot_be_changed() -> None:
    plan = make_plan(compose(WORDS), WORDS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.jobs = 5  # type: ignore[misc]
    assert planning.stacks_by_name(plan.trials, plan.device.type).keys() == plan.stacks.keys()


def test_a_precision_of_products_is_for_gpus_and_for_a_whole_run() -> None:
    words = [*WORDS, "device=cpu", "train.matmul_precision=high"]
    with pytest.raises(UserError, match=r"^train\.matmul_precision=high: is for GPUs; allowed on a CPU is highest\.$"):
        make_plan(compose(words), words)
    words = [*WORDS, "device=cpu", "grid={train.matmul_precision:[high,highest]}"]
    with pytest.raises(UserError, match=r"^grid: train\.matmul_precision holds for a whole run; allowed is one value"):
        make_plan(compose(words), words)

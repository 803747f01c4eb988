"""The plan of a run: everything decided and validated once, before anything is written, and then handed down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from nc_runner import data, experiments
from nc_runner.config.check import check
from nc_runner.config.choices import Device, MatmulPrecision, ModelName
from nc_runner.config.compose import check_scale, composed
from nc_runner.config.keys import overridden_keys, to_config
from nc_runner.config.schema import Config
from nc_runner.config.stacks import make_stacks
from nc_runner.config.trials import Trial
from nc_runner.errors import UserError
from nc_runner.experiments.base import Experiment
from nc_runner.experiments.measures.held_out import with_held_out
from nc_runner.models.own import head_of, made
from nc_runner.run.there import there
from nc_runner.run.workers import worker_count


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        config: of the whole run.
        overrides: the command line's words, ``key=value``, from which the config was composed.
        experiment: what is measured, drawn and claimed.
        trials: every point of the grid with every seed, whose data are there.
        stacks: the trials that train together, by the id of the first of them.
        device: where they train.
        jobs: processes that train them.
        data: the SHA-256 of each data set, by its keys on one line.
        left_out: files or rows of image sets that are no part of them, each with the reason.
        absent: of each data set of the grid that is not there, why.
    """

    config: Config
    overrides: Sequence[str]
    experiment: Experiment
    trials: list[Trial]
    stacks: dict[str, list[Trial]]
    device: torch.device
    jobs: int
    data: dict[str, str]
    left_out: list[str]
    absent: list[str]

    def stacks_at(self, scale: str) -> dict[str, list[Trial]]:
        """The stacks of the same command at another scale."""
        words = [word for word in self.overrides if not word.startswith("scale=")]
        config = to_config(composed([*words, f"scale={scale}"]))
        return stacks_by_name(there(config, overridden_keys(words)).trials, self.device.type)


def make_plan(config: Config, overrides: Sequence[str] = ()) -> Plan:
    """Refuse what cannot run, and decide everything else.

    Args:
        overrides: the command line's words; a key they set replaces the axis of the grid that varies it.

    Raises:
        UserError: a value is not allowed, the data are not there, or the experiment cannot run with a trial's config.
    """
    experiment = experiments.load(config.experiment)
    check_scale(config)
    check(config)
    device = choose_device(config.device)
    if device.type == "cpu" and config.train.matmul_precision is not MatmulPrecision.highest:
        precision = config.train.matmul_precision.name
        raise UserError(f"train.matmul_precision={precision}: is for GPUs; allowed on a CPU is highest.")
    trials, absent = there(config, overridden_keys(overrides))
    if own := [trial for trial in trials if trial.config.model.name is ModelName.own]:
        check_own_networks(own, experiment)
    if experiment.check:
        for trial in trials:
            experiment.check(trial.config)
    experiment = with_held_out(experiment, [trial.config for trial in trials])
    checksums = data.checksums(trial.config.data for trial in trials)
    stacks = stacks_by_name(trials, device.type)
    jobs = worker_count(config.jobs, len(stacks), device)
    left_out = list(dict.fromkeys(item for trial in trials for item in data.left_out(trial.config.data)))
    return Plan(config, overrides, experiment, trials, stacks, device, jobs, checksums, left_out, absent)


def check_own_networks(trials: Sequence[Trial], experiment: Experiment) -> None:
    """Refuse an experiment that knows its networks alone, and modules that cannot be made or take no such data.

    Raises:
        UserError: what is wrong.
    """
    if not experiment.any_network:
        raise UserError(
            f"model.name=own: experiment={trials[0].config.experiment} measures and tells of its own networks; allowed "
            "is an experiment whose record has any_network=True."
        )
    for config in {trial.config.model._target_: trial.config for trial in trials}.values():
        x, _ = data.load(config.data)
        head_of(made(config.model, config.seed_list[0]), x[:2], config.data.classes, config.model)


def stacks_by_name(trials: Sequence[Trial], device: str) -> dict[str, list[Trial]]:
    """The stacks of these trials on a cpu or on cuda, each by the id of its first trial."""
    return {stack[0].id: stack for stack in make_stacks(trials, cuda=device == "cuda")}


def choose_device(device: Device) -> torch.device:
    """The device to train on.

    Raises:
        UserError: device=cuda on a machine without one.
    """
    if device is Device.cuda and not torch.cuda.is_available():
        raise UserError("device=cuda: torch sees no GPU on this machine; allowed here are auto and cpu.")
    return torch.device("cuda" if device is not Device.cpu and torch.cuda.is_available() else "cpu")

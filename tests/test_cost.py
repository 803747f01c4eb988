"""What a run will take: a part of many images is measured, and another scale keeps the command line's axes."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nc_runner import run
from nc_runner.commands import compose
from nc_runner.cost import stack_seconds
from nc_runner.experiments.base import Experiment, Measurement
from nc_runner.experiments.unregularized_collapse import EXPERIMENT
from nc_runner.folder import RunFolder
from nc_runner.trials import Trial, make_trials


@pytest.mark.parametrize(("words", "measured"), [(["data=digits"], 599), (["data=teacher", "data.samples=1797"], 1797)])
def test_of_images_a_part_of_every_class_is_measured(words: list[str], measured: int) -> None:
    seen = []

    def measure(network: object, x: Tensor, y: Tensor, config: object) -> list[Measurement]:
        seen.append((len(x), len(y.unique())))
        return []

    experiment: Experiment = dataclasses.replace(EXPERIMENT, measure=measure)
    config = compose([*words, "model.width=8", "model.depth=2", "train.epochs=1"])
    assert stack_seconds(make_trials(config), experiment, torch.device("cpu")) > 0
    assert seen == [(measured, config.data.classes)] * 2


def test_another_scale_keeps_the_axes_that_the_command_line_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scales: list[list[Trial]] = []

    def announce(*arguments: object) -> None:
        at_scale = arguments[5]
        assert callable(at_scale)
        scales.append(at_scale("smoke"))
        raise KeyboardInterrupt

    words = ["experiment=unregularized_collapse", "data=digits", "model=mlp", "scale=smoke"]
    monkeypatch.setattr(run, "announce_cost", announce)
    with pytest.raises(KeyboardInterrupt):
        run.run(
            compose(words),
            RunFolder(tmp_path),
            overridden=["data.name", "model.name"],
            at_scale=lambda scale: compose([*words, f"scale={scale}"]),
        )
    assert [(t.config.data.name.name, t.config.model.name.name) for t in scales[0]] == [("digits", "mlp")]

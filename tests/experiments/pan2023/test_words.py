"""What figures say in words: of the config what all trials have, and no more."""

import pandas as pd
import pytest

from nc_runner.config.choices import DataName
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.pan2023 import words

CONFIG = Config(
    data=DataConfig(name=DataName.teacher, samples=2_000, dim=16, classes=4, teacher_depth=3),
    model=ModelConfig(depth=6, width=200),
    train=TrainConfig(epochs=150, weight_decay=5e-3, lr_milestones=[0.5]),
)
TRIALS = pd.DataFrame({"status": ["interpolated", "underfit", "diverged"], "accuracy": [1.0, 0.9, float("nan")]})


def test_a_setting_is_the_config() -> None:
    assert words.setting(CONFIG, TRIALS) == [
        "Networks: 6 linear layers, width 200, affine BatchNorm after each hidden activation.",
        "Data: teacher (labels of a random network of 3 linear layers), N = 2,000 samples of dimension 16, "
        "C = 4 classes.",
        "Training: SGD, 150 epochs, batches of 128, step size 0.0679, times 0.1 after 50% of the epochs, momentum 0.9, "
        "weight decay λ = 0.005.",
    ]


def test_what_varies_is_left_out_and_what_all_trials_have_is_theirs() -> None:
    trials = TRIALS.assign(**{
        "data.name": ["teacher", "conic_hull", "teacher"],
        "model.norm": ["affine", "none", "none"],
        "data.samples": 80,
        "train.weight_decay": [1e-3, 3e-3, 3e-3],
    })  # fmt: skip
    networks, data, training = words.setting(CONFIG, trials)
    assert networks == "Networks: 6 linear layers, width 200."
    assert data == "Data: N = 80 samples of dimension 16, C = 4 classes."
    assert training.endswith("momentum 0.9.")


def test_trials_left_out_are_counted_and_named() -> None:
    assert words.left_out(CONFIG, TRIALS) == "Left out: trials with a training accuracy below 0.999, 2 of 3."
    assert words.reached(TRIALS) == ["1.0000", "0.9000", "diverged"]


@pytest.mark.parametrize(("seeds", "said"), [([3, 3], "one seed"), ([0, 1], "mean over 2 seeds")])
def test_mean_over_seeds(seeds: list[int], said: str) -> None:
    assert words.mean_over_seeds(pd.DataFrame({"seed": seeds})) == said

"""The networks learn real images."""

import pytest
import torch
from real_images import real_data

from nc_runner.cli.mistakes import compose
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.training import begin


@pytest.mark.parametrize(
    ("words", "epochs"),
    [
        (["experiment=linear_head_mlp", "scale=smoke", "train.learning_rate=0.02"], 12),
        (["experiment=linear_head_resnet", "scale=smoke", "train.batch_size=20"], 40),
        (["experiment=unregularized_collapse", "scale=smoke", "data.name=cifar10", "model.name=vgg13"], 20),
        (["experiment=unregularized_collapse", "scale=smoke", "data.name=mnist", "model.name=resnet18"], 20),
    ],
)
def test_a_few_steps_lower_the_loss(words: list[str], epochs: int) -> None:
    config = compose([*words, f"data.root={real_data()}", f"train.epochs={epochs}"])
    config.grid = {}
    x, y = load(config.data)
    training = begin(make_trials(config), x, y, device=torch.device("cpu"))
    losses = []
    while not training.finished:
        training.advance()
        if training.between_epochs:
            losses.append(training.epoch_loss().mean().item())
    assert min(losses[-3:]) < 0.9 * losses[0]

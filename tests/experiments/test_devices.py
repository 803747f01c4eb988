"""That what measures a network on a GPU makes its tensors there, seen without one.

Under a default device that holds no data, ``meta``, a tensor made without a word of where it lies cannot be used with
the network's own, as one on the CPU cannot with those on a GPU.
"""

import pytest
import torch
from conftest import smoke_overrides

from nc_runner import experiments
from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import Method
from nc_runner.config.compose import experiment_names
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.run.plan import stacks_by_name
from nc_runner.training import begin

WORDS = {name: [f"experiment={name}", "scale=smoke"] for name in experiment_names()}
TRAINED = [name for name, words in WORDS.items() if compose(words).train.method is not Method.none]


@pytest.mark.parametrize("name", TRAINED)
def test_a_measurement_makes_its_tensors_where_the_network_is(name: str) -> None:
    stack = next(iter(stacks_by_name(make_trials(compose([*WORDS[name], *smoke_overrides(name)])), "cpu").values()))
    config = stack[0].config
    training = begin(stack, *load(config.data), device=torch.device("cpu"))
    with torch.no_grad(), torch.device("meta"):
        measured = list(experiments.load(name).measure(training.network, training.x, training.y, config))
    assert measured

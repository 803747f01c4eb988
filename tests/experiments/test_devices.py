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
from nc_runner.data import load
from nc_runner.run.plan import make_plan
from nc_runner.training import begin

WORDS = {name: [f"experiment={name}", "scale=smoke"] for name in experiment_names()}
TRAINED = [name for name, words in WORDS.items() if compose(words).train.method is not Method.none]


@pytest.mark.parametrize("name", TRAINED)
def test_a_measurement_makes_its_tensors_where_the_network_is(name: str) -> None:
    words = [*WORDS[name], *smoke_overrides(name), "device=cpu"]
    stack = next(iter(make_plan(compose(words), words).stacks.values()))
    config = stack[0].config
    training = begin(stack, *load(config.data), device=torch.device("cpu"))
    with torch.no_grad(), torch.device("meta"):
        measured = list(experiments.load(name).measure(training.network, training.x, training.y, config))
    assert measured

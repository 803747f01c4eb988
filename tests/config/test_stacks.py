import dataclasses

import pytest

from nc_runner.config.choices import Norm, Precision
from nc_runner.config.schema import Config
from nc_runner.config.stacks import make_stacks
from nc_runner.config.trials import make_trials

GRID = {"model.norm": ["affine", "none"], "train.weight_decay": [1e-3, 1e-2]}


def test_stacks_hold_equal_networks_and_every_trial_once(small: Config) -> None:
    trials = make_trials(dataclasses.replace(small, grid=GRID | {"model.width": [7, 200]}, seeds=2))
    for cuda in (False, True):
        stacks = make_stacks(trials, cuda=cuda)
        assert sorted(t.id for s in stacks for t in s) == sorted(t.id for t in trials)
        for stack in stacks:
            assert len({(t.config.model.norm, t.config.model.width) for t in stack}) == 1
    assert len(make_stacks(trials, cuda=True)) == 4
    assert all(len(s) == 1 for s in make_stacks(trials, cuda=False) if s[0].config.model.width == 200)


@pytest.mark.parametrize(
    ("width", "samples", "sizes"),
    [(16, 20, {50}), (32, 100, {20}), (64, 100, {8, 4}), (100, 200, {3, 1}), (200, 10_000, {1})],
)
def test_a_full_batch_stack_fits_a_core_s_cache(small: Config, width: int, samples: int, sizes: set[int]) -> None:
    data = dataclasses.replace(small.data, samples=samples, dim=10, classes=10)
    model = dataclasses.replace(small.model, width=width, depth=5, norm=Norm.none, bias=False)
    train = dataclasses.replace(small.train, batch_size=None)
    trials = make_trials(dataclasses.replace(small, seeds=100, data=data, model=model, train=train))
    stacks = make_stacks(trials, cuda=False)
    assert {len(stack) for stack in stacks} == sizes
    assert [trial for stack in stacks for trial in stack] == trials
    assert len(make_stacks(trials, cuda=True)) == 1


@pytest.mark.parametrize(("precision", "most"), [("float32", 68), ("float64", 44)])
def test_a_gpu_stack_fits_its_memory_while_it_is_measured(small: Config, precision: str, most: int) -> None:
    """54,210 samples, 9 layers of 64 units and the first again, with four float64 copies of a layer's."""
    data = dataclasses.replace(small.data, samples=54_210)
    model = dataclasses.replace(small.model, width=64, depth=9, first_width=None)
    train = dataclasses.replace(small.train, precision=Precision[precision])
    config = dataclasses.replace(small, data=data, model=model, train=train)
    assert 2**34 // (54_210 * 64 * ((9 + 1) * (4 if precision == "float32" else 8) + 4 * 8)) == most
    for trials, stacks in ((most, 1), (most + 1, 2)):
        assert len(make_stacks(make_trials(dataclasses.replace(config, seeds=trials)), cuda=True)) == stacks

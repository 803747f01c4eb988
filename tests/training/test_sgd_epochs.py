"""Steps and epochs of a stack under SGD: where it may be stopped, what an epoch's loss is, when the step size drops."""

import dataclasses

import pytest
import torch
from stacks import training
from torch import nn

from nc_runner.config.choices import Norm
from nc_runner.config.schema import Config
from nc_runner.rng import minibatch_order


@pytest.mark.parametrize("stop", [3, 4, 7])
def test_state_restores_bit_for_bit_between_any_two_steps(small: Config, stop: int) -> None:
    whole = training(small, torch.float32)
    first, second = training(small, torch.float32), training(small, torch.float32)
    for _ in range(stop):
        first.advance()
    second.load({name: tensor.clone() for name, tensor in first.state().items()}, first.step)
    while not second.finished:
        second.advance()
    while not whole.finished:
        whole.advance()
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, second.state()[name])


def test_epoch_loss_is_the_mean_over_the_epoch_s_samples(small: Config) -> None:
    small.train.learning_rate = 1e-30  # nothing moves, so the mean is that of the initial network
    small.model.norm = Norm.none
    stack = training(small)
    for _ in range(stack.steps_per_epoch):
        stack.advance()
    _, logits = list(stack.network.features(stack.x))[-1]
    expected = nn.functional.cross_entropy(logits[0], stack.y)
    torch.testing.assert_close(stack.epoch_loss()[0], expected, rtol=1e-9, atol=0)
    assert stack.epoch_accuracy()[0] == (logits[0].argmax(1) == stack.y).double().mean()


def test_step_size_drops_at_the_milestones(small: Config) -> None:
    small = dataclasses.replace(
        small, train=dataclasses.replace(small.train, epochs=8, lr_milestones=[0.25, 0.5, 0.75])
    )
    stack, seen = training(small), []
    while not stack.finished:
        stack.advance()
        if stack.step % stack.steps_per_epoch == 0:
            seen.append(stack.rates.lr.item() / small.train.learning_rate)
    assert seen == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_many_steps_at_once_are_the_same_steps(small: Config) -> None:
    """As a GPU takes them: up to the end of an epoch, from wherever a checkpoint was."""
    one, many, gone_on = (training(small) for _ in range(3))
    for stack in (many, gone_on):
        stack._steps = lambda order, stack=stack: [stack.update(batch) for batch in order.split(stack.batch_size)]
        stack._steps_at_once = 3
    steps = []
    while not many.finished:
        many.advance()
        steps.append(many.step)
    assert steps[:4] == [3, 4, 7, 8]  # 60 samples in batches of 16
    while not one.finished:
        one.advance()
        if one.step == 6:
            gone_on.load({name: tensor.clone() for name, tensor in one.state().items()}, 6)
    while not gone_on.finished:
        gone_on.advance()
    for stack in (many, gone_on):
        assert all(torch.equal(tensor, stack.state()[name]) for name, tensor in one.state().items())


@pytest.mark.parametrize("steps", [1, 3, 4, 6])
def test_loss_and_accuracy_within_an_epoch_are_over_the_samples_seen(small: Config, steps: int) -> None:
    """60 samples in batches of 16: after four steps an epoch of them, of which the last has 12."""
    small.train.learning_rate, small.model.norm = 1e-30, Norm.none
    stack = training(small)
    for _ in range(steps):
        stack.advance()
    epoch, within = divmod(steps, 4)
    order = minibatch_order(small.seed_list[0], epoch if within else epoch - 1, 60)
    seen = order[: 16 * within] if within else order
    _, logits = list(stack.network.features(stack.x[seen]))[-1]
    expected = nn.functional.cross_entropy(logits[0], stack.y[seen])
    torch.testing.assert_close(stack.epoch_loss()[0], expected, rtol=1e-9, atol=0)
    right = (logits[0].argmax(1) == stack.y[seen]).double().mean()
    torch.testing.assert_close(stack.epoch_accuracy()[0], right)


def test_a_state_of_another_epoch_brings_its_own_order(small: Config) -> None:
    """Also into a stack that is in the middle of an epoch itself."""
    whole, other = training(small), training(small)
    for _ in range(2):
        whole.advance()
    saved = {name: tensor.clone() for name, tensor in whole.state().items()}
    for _ in range(5):
        other.advance()
    other.load(saved, whole.step)
    while not whole.finished:
        whole.advance()
        other.advance()
    assert torch.equal(whole.network.flat, other.network.flat)

import dataclasses

import pytest
import torch
from reference import as_torch, linears, loss_of
from torch import nn

from nc_runner.config.choices import Activation, DataName, LossName, ModelName, Norm, Precision
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.rng import minibatch_order
from nc_runner.theory import min_cross_entropy
from nc_runner.training.sgd import SGD

CPU = torch.device("cpu")


def training(config: Config, dtype: torch.dtype | None = torch.float64, only: int | None = None) -> SGD:
    trials = make_trials(config)
    return SGD(trials if only is None else [trials[only]], *load(config.data), device=CPU, dtype=dtype)


@pytest.mark.parametrize("norm", Norm)
@pytest.mark.parametrize("batch_size", [16, None])
def test_equals_torch_nn_and_torch_optim_sgd_trial_by_trial(small: Config, norm: Norm, batch_size: int | None) -> None:
    """Several epochs with a last partial batch, a step size that drops, and a weight decay and step size a trial."""
    small.model.norm, small.train.batch_size, small.train.epochs = norm, batch_size, 5
    small.grid = {"train.weight_decay": [0.0, 1e-2], "train.learning_rate": [0.05, 0.01]}
    stack = training(small)
    modules = [as_torch(stack.network, t) for t in range(4)]
    x, y = load(small.data)
    while not stack.finished:
        stack.advance()
    for t, (trial, module) in enumerate(zip(stack.trials, modules, strict=True)):
        train = trial.config.train
        optimiser = torch.optim.SGD(
            module.parameters(), train.learning_rate, train.momentum, weight_decay=train.weight_decay
        )
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [2, 3, 4], train.lr_gamma)  # ceil of 1.25, 2.5, 3.75
        for epoch in range(train.epochs):
            order = minibatch_order(trial.seed, epoch, len(x)) if batch_size else torch.arange(len(x))
            for batch in order.split(batch_size or len(x)):
                optimiser.zero_grad()
                nn.functional.cross_entropy(module.train()(x[batch].double()), y[batch]).backward()
                optimiser.step()
            schedule.step()
        for (name, expected), i in zip(module[0].named_parameters(), [1, 1], strict=True):
            torch.testing.assert_close(stack.network.params[f"{i}.{name}"][t], expected.detach(), rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(
            stack.network.params["3.weight"][t], module[-1].weight.detach(), rtol=1e-8, atol=1e-10
        )


@pytest.mark.parametrize("name", [ModelName.mlp, ModelName.residual_mlp])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("loss", LossName)
@pytest.mark.parametrize("batch_size", [16, None])
def test_the_first_layer_s_own_weight_decay_is_torch_s_of_a_parameter_group(
    small: Config, name: ModelName, bias: bool, loss: LossName, batch_size: int | None
) -> None:
    small.model.name, small.model.norm, small.model.bias, small.model.depth = name, Norm.none, bias, 4
    small.model.activation = Activation.leaky_relu
    small.train.loss, small.train.batch_size, small.train.lr_milestones = loss, batch_size, []
    small.grid = {"train.weight_decay,train.weight_decay_first": [[1e-2, 0.3], [0.2, 0.0], [0.1, None]]}
    stack = training(small)
    modules = [as_torch(stack.network, t) for t in range(3)]
    x, y = load(small.data)
    while not stack.finished:
        stack.advance()
    for t, (trial, module) in enumerate(zip(stack.trials, modules, strict=True)):
        train, (first, *rest) = trial.config.train, linears(module)
        own = train.weight_decay if train.weight_decay_first is None else train.weight_decay_first
        groups = [
            {"params": first.parameters(), "weight_decay": own},
            {"params": [p for layer in rest for p in layer.parameters()], "weight_decay": train.weight_decay},
        ]
        optimiser = torch.optim.SGD(groups, train.learning_rate, train.momentum)
        for epoch in range(train.epochs):
            order = minibatch_order(trial.seed, epoch, len(x)) if batch_size else torch.arange(len(x))
            for batch in order.split(batch_size or len(x)):
                optimiser.zero_grad()
                loss_of(loss, module(x[batch].double()), y[batch]).backward()
                optimiser.step()
        for i, layer in enumerate((first, *rest), 1):
            for part, expected in layer.named_parameters():
                got = stack.network.params[f"{i}.{part}"][t]
                torch.testing.assert_close(got, expected.detach(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", [ModelName.mlp, ModelName.residual_mlp])
def test_a_full_batch_stack_equals_its_trials_one_by_one(small: Config, name: ModelName) -> None:
    small.model.name, small.model.norm, small.model.bias = name, Norm.none, False
    small.train.batch_size, small.train.loss, small.seeds = None, LossName.mse, 5
    stack, alone = training(small), [training(small, only=t) for t in range(5)]
    for training_of in (stack, *alone):
        while not training_of.finished:
            training_of.advance()
    for t, one in enumerate(alone):
        torch.testing.assert_close(stack.network.flat[t], one.network.flat[0], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(stack.epoch_loss()[t], one.epoch_loss()[0], rtol=1e-9, atol=1e-12)


def test_a_stack_equals_its_trials_one_by_one(small: Config) -> None:
    small.seeds, small.grid = [4, 9], {"train.weight_decay": [1e-3, 1e-1], "train.momentum": [0.5, 0.9]}
    stack = training(small)
    alone = [training(small, only=t) for t in range(8)]
    for _ in range(7):
        stack.advance()
        for one in alone:
            one.advance()
    for t, one in enumerate(alone):
        torch.testing.assert_close(stack.network.flat[t], one.network.flat[0], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(stack.epoch_loss()[t], one.epoch_loss()[0], rtol=1e-9, atol=1e-12)
        assert stack.epoch_accuracy()[t] == one.epoch_accuracy()[0]


def test_a_diverged_trial_does_not_touch_its_neighbours(small: Config) -> None:
    small.grid = {"train.learning_rate": [0.05, 1e30]}
    small.model.norm = Norm.none
    stack, alone = training(small), training(small, only=0)
    for _ in range(8):
        stack.advance()
        alone.advance()
    assert not stack.network.flat[1].isfinite().all()
    assert torch.isnan(stack.epoch_loss()[1])
    torch.testing.assert_close(stack.network.flat[0], alone.network.flat[0], rtol=1e-9, atol=1e-12)


def test_precision_is_that_of_the_config_unless_told(small: Config) -> None:
    assert training(small, None).network.flat.dtype is torch.float32
    small.train.precision = Precision.float64
    stack = training(small, None)
    assert all(t.dtype is torch.float64 for t in (stack.x, stack.targets, stack.network.flat, stack.optimizer.buffer))


def test_free_features_train_to_the_least_loss_and_restore_bit_for_bit(small: Config) -> None:
    small.model.name, small.data.name, small.train.batch_size = ModelName.free_features, DataName.balanced, None
    small.model.feature_norm, small.model.weight_norm, small.train.epochs = 2.0, 0.5, 500
    small.train.lr_milestones, small.train.learning_rate = [], 0.0679
    whole, first, second = training(small), training(small), training(small)
    least = float(min_cross_entropy(2.0, 0.5, 3))
    while not whole.finished:
        whole.advance()
        if whole.step % 50 == 1:
            assert whole.epoch_loss().item() >= least - 1e-14
    assert whole.epoch_loss().item() == pytest.approx(least, abs=1e-12)
    assert whole.epoch_accuracy().item() == 1
    for _ in range(123):
        first.advance()
    second.load({name: tensor.clone() for name, tensor in first.state().items()}, first.step)
    while not second.finished:
        second.advance()
    assert torch.equal(whole.network.flat, second.network.flat)


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_captured_step_is_the_step(small: Config) -> None:
    small.seeds = 3
    trials, data = make_trials(small), load(small.data)
    captured, cpu = (SGD(trials, *data, device=torch.device(d), dtype=torch.float64) for d in ("cuda", "cpu"))
    while not cpu.finished:
        captured.advance()
        cpu.advance()
    torch.testing.assert_close(captured.network.flat.cpu(), cpu.network.flat, rtol=1e-7, atol=1e-9)


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


def test_a_parameter_s_weight_decay_is_its_own_trial_s_and_its_own_layer_s(small: Config) -> None:
    small.model.depth = 11  # a tenth layer's name begins like the first's
    small.grid = {"train.weight_decay,train.weight_decay_first": [[0.1, 0.5], [0.2, None]]}
    stack = training(small)
    for name, decay in stack.network.weight_decay.items():
        expected = [0.5, 0.2] if name.startswith("1.") else [0.1, 0.2]
        assert decay.tolist() == pytest.approx(expected), name
    for name, view in stack._by_name(stack.rates.weight_decay).items():
        assert view[0].unique().tolist() == pytest.approx([0.5 if name.startswith("1.") else 0.1]), name
    assert {name.split(".")[0] for name in stack.network.weight_decay} == {str(i) for i in range(1, 12)}


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

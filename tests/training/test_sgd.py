"""A stack of trials under SGD against torch.nn and torch.optim, its trials one by one, and a closed form."""

import pytest
import torch
from reference import as_torch, linears, loss_of
from stacks import training
from torch import nn

from nc_runner.config.choices import Activation, DataName, LossName, ModelName, Norm, Precision
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.rng import minibatch_order
from nc_runner.theory import min_cross_entropy
from nc_runner.training.sgd import SGD


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_captured_step_is_the_step(small: Config) -> None:
    small.seeds = 3
    trials, data = make_trials(small), load(small.data)
    captured, cpu = (SGD(trials, *data, device=torch.device(d), dtype=torch.float64) for d in ("cuda", "cpu"))
    while not cpu.finished:
        captured.advance()
        cpu.advance()
    torch.testing.assert_close(captured.network.flat.cpu(), cpu.network.flat, rtol=1e-7, atol=1e-9)


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

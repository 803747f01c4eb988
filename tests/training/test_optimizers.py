"""Every optimiser of a stack against torch's own loop, trial by trial; clipping; state; the default path's bits."""

import pytest
import torch
from reference import as_torch, linears
from stacks import training
from torch import Tensor, nn

from nc_runner.config.choices import Activation, Norm, Optimizer, Precision, Schedule
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config
from nc_runner.config.stacks import make_stacks
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.rng import minibatch_order
from nc_runner.training.optimizers import clip
from nc_runner.training.sgd import SGD

EXACT = {"rtol": 1e-8, "atol": 1e-10}


def torch_s(config: Config, parameters: list[Tensor]) -> torch.optim.Optimizer:
    """torch's own optimiser of these names."""
    train = config.train
    common = {"lr": train.learning_rate, "weight_decay": train.weight_decay}
    if train.optimizer in (Optimizer.sgd, Optimizer.gd):
        return torch.optim.SGD(parameters, momentum=train.momentum, **common)
    if train.optimizer is Optimizer.nesterov:
        return torch.optim.SGD(parameters, momentum=train.momentum, nesterov=True, **common)
    kind = torch.optim.Adam if train.optimizer is Optimizer.adam else torch.optim.AdamW
    return kind(parameters, betas=(train.momentum, train.beta2), eps=train.adam_eps, **common)


def run_torch_s(stack: SGD, t: int, module: nn.Sequential) -> None:
    """torch's own loop of a trial: schedule, smoothed loss, clipped gradient, optimiser."""
    config = stack.trials[t].config
    train, (x, y) = config.train, load(config.data)
    optimiser = torch_s(config, list(module.parameters()))
    loss_of = nn.CrossEntropyLoss(label_smoothing=train.label_smoothing)
    schedule = (
        torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, train.epochs)
        if train.schedule is Schedule.cosine
        else torch.optim.lr_scheduler.MultiStepLR(optimiser, [2, 3, 4], train.lr_gamma)
    )
    for epoch in range(train.epochs):
        size = train.batch_size
        order = minibatch_order(stack.trials[t].seed, epoch, len(x)) if size else torch.arange(len(x))
        for batch in order.split(size or len(x)):
            optimiser.zero_grad()
            loss_of(module.train()(x[batch].to(stack.x.dtype)), y[batch]).backward()
            if train.gradient_clip is not None:
                nn.utils.clip_grad_norm_(module.parameters(), train.gradient_clip)
            optimiser.step()
        schedule.step()


def compared(stack: SGD, **tolerance: float) -> None:
    """Train the stack, and each trial by torch's loop, from the same start."""
    modules = [as_torch(stack.network, t) for t in range(len(stack.trials))]
    while not stack.finished:
        stack.advance()
    for t, module in enumerate(modules):
        run_torch_s(stack, t, module)
        for i, layer in enumerate(linears(module), 1):
            for part, expected in layer.named_parameters():
                got = stack.network.params[f"{i}.{part}"][t]
                torch.testing.assert_close(got, expected.detach(), **(EXACT | tolerance))
        norms = [part for part in module if isinstance(part, nn.BatchNorm1d | nn.LayerNorm)]
        for i, norm in enumerate(norms, 1):
            torch.testing.assert_close(
                stack.network.params[f"{i}.gamma"][t], norm.weight.detach(), **(EXACT | tolerance)
            )


POINTS = "train.weight_decay,train.learning_rate,train.momentum"


def configured(small: Config, optimizer: Optimizer, **changes: object) -> Config:
    """Five epochs of four batches; of each number of a trial two values."""
    adaptive = optimizer in (Optimizer.adam, Optimizer.adamw)
    axes: dict[str, list[object]] = {POINTS: [[0.0, 0.05, 0.5], [0.1, 0.01, 0.9]]}
    if adaptive:
        axes["train.beta2"] = [0.9, 0.999]
    if optimizer is Optimizer.gd:
        axes = {"train.weight_decay,train.learning_rate": [[0.0, 0.5], [0.1, 0.1]]}
        changes |= {"train.batch_size": None, "train.momentum": 0.0}
    small = replace(small, {"train.optimizer": optimizer.name, "train.epochs": 5, "model.norm": "affine", **changes})
    small.grid = axes
    return small


@pytest.mark.parametrize("norm", [Norm.affine, Norm.none])
@pytest.mark.parametrize("optimizer", Optimizer)
def test_a_stack_is_torch_s_loop_of_each_trial(small: Config, optimizer: Optimizer, norm: Norm) -> None:
    stack = training(configured(small, optimizer, **{"model.norm": norm.name}))
    assert len(stack.trials) == (4 if optimizer in (Optimizer.adam, Optimizer.adamw) else 2)
    compared(stack)


@pytest.mark.parametrize("optimizer", Optimizer)
def test_in_float32_to_its_rounding(small: Config, optimizer: Optimizer) -> None:
    """A beta2 kept in float32 would be off by 1e-5 in the first step's size."""
    config = configured(small, optimizer, **{"model.activation": "tanh", "model.norm": "none"})
    compared(training(config, torch.float32), rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("optimizer", [Optimizer.sgd, Optimizer.nesterov, Optimizer.gd])
def test_wide_networks_in_one_pass_over_their_numbers(small: Config, optimizer: Optimizer) -> None:
    config = configured(small, optimizer, **{"model.width": 150, "model.norm": "none"})
    stack = training(config)
    assert stack.optimizer.in_one_pass  # type: ignore[attr-defined]
    compared(stack)


@pytest.mark.parametrize("activation", Activation)
@pytest.mark.parametrize("norm", [Norm.affine, Norm.layer, Norm.none])
def test_every_activation_with_every_norm(small: Config, activation: Activation, norm: Norm) -> None:
    changes = {"model.activation": activation.name, "model.norm": norm.name}
    compared(training(configured(small, Optimizer.sgd, **changes)))


@pytest.mark.parametrize("optimizer", [Optimizer.sgd, Optimizer.adamw])
def test_smoothed_labels_a_clipped_gradient_and_a_cosine(small: Config, optimizer: Optimizer) -> None:
    """The clip is below the first gradients' norms, and above some later one of one of the trials."""
    changes = {"train.label_smoothing": 0.2, "train.gradient_clip": 0.3, "train.schedule": "cosine"}
    stack = training(configured(small, optimizer, **changes))
    compared(stack)


@pytest.mark.parametrize("optimizer", Optimizer)
def test_a_stack_equals_its_trials_one_by_one(small: Config, optimizer: Optimizer) -> None:
    changes = {"train.label_smoothing": 0.1, "train.gradient_clip": 0.4, "train.schedule": "cosine"}
    config = configured(small, optimizer, **{**changes, "train.lr_warmup": 0.4})
    config.seeds = [4, 9]
    stack = training(config)
    alone = [training(config, only=t) for t in range(len(stack.trials))]
    for _ in range(7):
        for one in (stack, *alone):
            one.advance()
    for t, one in enumerate(alone):
        torch.testing.assert_close(stack.network.flat[t], one.network.flat[0], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(stack.epoch_loss()[t], one.epoch_loss()[0], rtol=1e-9, atol=1e-12)
        assert stack.epoch_accuracy()[t] == one.epoch_accuracy()[0]


def test_the_step_size_of_each_epoch(small: Config) -> None:
    config = replace(small, {"train.epochs": 8, "train.lr_warmup": 0.25, "train.schedule": "constant"})
    stack, seen = training(config), []
    while not stack.finished:
        stack.advance()
        if stack.between_epochs:
            seen.append(stack.rates.lr.item() / config.train.learning_rate)
    assert seen == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1, 1, 1])


def test_each_trial_s_gradient_is_clipped_by_its_own_norm() -> None:
    grad = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], dtype=torch.float64)
    expected = []
    for row in grad:
        parameter = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        parameter.grad = row.clone()
        nn.utils.clip_grad_norm_([parameter], 1.0)
        expected.append(parameter.grad)
    clip(grad, 1.0)
    torch.testing.assert_close(grad, torch.stack(expected), rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("optimizer", Optimizer)
@pytest.mark.parametrize("stop", [3, 4, 7])
def test_state_restores_bit_for_bit(small: Config, optimizer: Optimizer, stop: int, dtype: torch.dtype) -> None:
    config = configured(small, optimizer, **{"train.schedule": "cosine", "train.lr_warmup": 0.3})
    whole, first, second = (training(config, dtype) for _ in range(3))
    for _ in range(stop if config.train.batch_size else min(stop, 4)):
        first.advance()
    second.load({name: tensor.clone() for name, tensor in first.state().items()}, first.step)
    for stack in (whole, second):
        while not stack.finished:
            stack.advance()
    assert {"first_moment", "second_moment", "steps"} <= set(whole.state()) or "momentum" in whole.state()
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, second.state()[name]), name


@pytest.mark.parametrize("first", [None, 0.3])
def test_by_default_it_is_the_step_it_always_was(small: Config, first: float | None) -> None:
    """Bit for bit: what a step was before there were other optimisers, written out."""
    small.train.weight_decay_first, small.train.precision = first, Precision.float32
    small.grid = {POINTS: [[0.0, 0.05, 0.5], [0.1, 0.01, 0.9]]}
    stack, twin = training(small, torch.float32), training(small, torch.float32)
    buffer, rates = torch.zeros_like(twin.network.flat), twin.rates
    initial = rates.lr.clone()
    while not stack.finished:
        epoch, within = divmod(stack.step, stack.steps_per_epoch)
        lr = initial * 0.1 ** sum(epoch >= of * small.train.epochs for of in small.train.lr_milestones)
        stack.advance()
        assert stack.order is not None
        batch = stack.order[within * 16 : (within + 1) * 16]
        twin.network.loss_and_gradient(twin._rows(twin.x, batch), twin._rows(twin.targets, batch))
        twin.network.flat_grad.addcmul_(twin.network.flat, rates.weight_decay)
        buffer.mul_(rates.momentum).add_(twin.network.flat_grad)
        twin.network.flat.addcmul_(buffer, lr, value=-1)
        assert torch.equal(stack.network.flat, twin.network.flat)
    assert set(stack.state()) == set(stack.network.buffers) | {"flat", "momentum", "loss_sum", "correct"}


def test_optimisers_train_in_stacks_of_their_own_and_betas_together(small: Config) -> None:
    small.grid = {
        "train.optimizer,train.beta2": [["sgd", 0.999], ["adam", 0.9], ["adam", 0.99], ["adamw", 0.9]],
        "train.weight_decay": [0.0, 0.1],
    }
    for cuda in (False, True):
        stacks = make_stacks(make_trials(small), cuda=cuda)
        kinds = [{trial.config.train.optimizer for trial in stack} for stack in stacks]
        assert all(len(kind) == 1 for kind in kinds)
        assert sorted(len(stack) for stack in stacks) == [2, 2, 4]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_nothing_in_a_step_waits_for_the_device(small: Config, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No number leaves a tensor in a step of any optimiser, clipped and smoothed, with dropout."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    changes = {"train.label_smoothing": 0.1, "train.gradient_clip": 0.4, "model.dropout": 0.2}

    def waits(*_: object) -> float:
        pytest.fail("a step reads a number from the device")

    for optimizer in Optimizer:
        trials = make_trials(configured(small, optimizer, **changes))
        stack = SGD(trials, *load(trials[0].config.data), device=torch.device(device))
        batch = torch.arange(16)[:, None].expand(-1, len(trials)).to(device)
        with monkeypatch.context() as patched:
            for name in ("item", "tolist", "__float__", "__int__", "__bool__", "cpu", "numpy"):
                patched.setattr(Tensor, name, waits)
            stack.update(batch)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("optimizer", Optimizer)
def test_a_captured_step_is_the_step(small: Config, optimizer: Optimizer) -> None:
    changes = {"train.label_smoothing": 0.1, "train.gradient_clip": 0.4, "model.dropout": 0.2, "model.norm": "layer"}
    trials = make_trials(configured(small, optimizer, **changes))
    data = load(trials[0].config.data)
    captured, cpu = (SGD(trials, *data, device=torch.device(d), dtype=torch.float64) for d in ("cuda", "cpu"))
    while not cpu.finished:
        cpu.advance()
    while not captured.finished:
        captured.advance()
    torch.testing.assert_close(captured.network.flat.cpu(), cpu.network.flat, rtol=1e-7, atol=1e-9)

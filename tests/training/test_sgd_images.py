"""Training on images: stacks of convolutional networks, and networks to which an image is a row of numbers."""

import pytest
import torch
from convolutional_reference import as_plain, forward, matched
from torch import Tensor
from torch.nn import functional

from nc_runner.config.choices import DataName, ModelName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.config.stacks import make_stacks
from nc_runner.config.trials import make_trials
from nc_runner.rng import minibatch_order
from nc_runner.training.sgd import SGD

CPU = torch.device("cpu")


@pytest.fixture
def images() -> Config:
    """Two epochs of 14 images, of which the last batch has two, and a drop of the step size between them."""
    return Config(
        data=DataConfig(name=DataName.digits, samples=14, classes=3),
        model=ModelConfig(name=ModelName.resnet20, channels=4, depth=2, width=6, norm=Norm.affine),
        train=TrainConfig(epochs=2, batch_size=6, learning_rate=0.05, lr_milestones=[0.5]),
        grid={"train.weight_decay": [0.0, 1e-2, 0.1]},
    )


def data(colours: int = 1) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.randn(14, colours, 8, 8, generator=random, dtype=torch.float64), torch.arange(14) % 3


def training(config: Config, x: Tensor, y: Tensor, only: int | None = None) -> SGD:
    trials = make_trials(config)
    return SGD(trials if only is None else [trials[only]], x, y, device=CPU, dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "colours", "batch_size"),
    [(ModelName.resnet20, 1, 6), (ModelName.resnet18, 3, 6), (ModelName.vgg13, 1, 6), (ModelName.resnet20, 3, None)],
)
def test_equals_torch_optim_sgd_trial_by_trial(
    images: Config, name: ModelName, colours: int, batch_size: int | None
) -> None:
    images.model.name, images.train.batch_size = name, batch_size
    x, y = data(colours)
    stack = training(images, x, y)
    plain = [as_plain(stack.network, t, colours, 8, 3) for t in range(3)]
    while not stack.finished:
        stack.advance()
    for t, (trial, parts) in enumerate(zip(stack.trials, plain, strict=True)):
        train = trial.config.train
        optimiser = torch.optim.SGD(
            parts.train().parameters(), train.learning_rate, train.momentum, weight_decay=train.weight_decay
        )
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [1], train.lr_gamma)
        for epoch in range(train.epochs):
            order = minibatch_order(trial.seed, epoch, len(x)) if batch_size else torch.arange(len(x))
            for batch in order.split(batch_size or len(x)):
                optimiser.zero_grad()
                functional.cross_entropy(forward(parts, x[batch])[-1], y[batch]).backward()
                optimiser.step()
            schedule.step()
        tensors = stack.network.params | stack.network.buffers
        for ours, module, theirs in matched(stack.network, parts):
            expected = getattr(module, theirs).detach()
            torch.testing.assert_close(tensors[ours][t], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [ModelName.resnet20, ModelName.vgg13])
def test_a_stack_equals_its_trials_one_by_one(images: Config, name: ModelName) -> None:
    images.model.name, images.seeds, images.grid = name, 3, {}
    stack, alone = training(images, *data()), [training(images, *data(), only=t) for t in range(3)]
    for training_of in (stack, *alone):
        while not training_of.finished:
            training_of.advance()
    for t, one in enumerate(alone):
        torch.testing.assert_close(stack.network.flat[t], one.network.flat[0], rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(stack.epoch_loss()[t], one.epoch_loss()[0], rtol=1e-6, atol=1e-8)


def test_state_restores_bit_for_bit(images: Config) -> None:
    whole, first, second = (training(images, *data()) for _ in range(3))
    while not whole.finished:
        whole.advance()
    for _ in range(4):
        first.advance()
    second.load({name: tensor.clone() for name, tensor in first.state().items()}, first.step)
    while not second.finished:
        second.advance()
    assert all(torch.equal(tensor, second.state()[name]) for name, tensor in whole.state().items())


def test_narrow_convolutions_train_by_a_few_on_a_cpu_and_alone_on_a_gpu(images: Config) -> None:
    images.seeds, images.grid = 4, {"model.channels": [2, 4, 8, 64]}
    stacks = make_stacks(make_trials(images), cuda=False)
    sizes = {c: [len(stack) for stack in stacks if stack[0].config.model.channels == c] for c in (2, 4, 8, 64)}
    assert sizes == {2: [4], 4: [2, 2], 8: [1] * 4, 64: [1] * 4}
    assert [len(stack) for stack in make_stacks(make_trials(images), cuda=True)] == [1] * 16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_captured_step_is_the_step(images: Config, seeds: int) -> None:
    images.grid, images.seeds = {}, seeds
    trials = make_trials(images)
    captured, cpu = (SGD(trials, *data(), device=torch.device(d), dtype=torch.float64) for d in ("cuda", "cpu"))
    while not cpu.finished:
        captured.advance()
        cpu.advance()
    torch.testing.assert_close(captured.network.flat.cpu(), cpu.network.flat, rtol=1e-6, atol=1e-8)

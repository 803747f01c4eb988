"""Against the same networks as a person would write them with torch.nn, in convolutional_reference.py."""

import pytest
import torch
from convolutional_reference import as_plain, forward, matched
from torch.nn import functional

from nc_runner.config.choices import Activation, Init, ModelName
from nc_runner.config.schema import ModelConfig
from nc_runner.models import ConvolutionalNetwork, convolutional

CPU = torch.device("cpu")
SMALL = {"channels": 4, "depth": 1, "width": 6, "batch_norm_eps": 0.03, "batch_norm_momentum": 0.3}
EXACT = {"rtol": 1e-8, "atol": 1e-10}


def network(name: ModelName, trials: int = 3, colours: int = 3, **keys: object) -> ConvolutionalNetwork:
    config = ModelConfig(name=name, **(SMALL | keys))  # type: ignore[arg-type]
    made = ConvolutionalNetwork(config, colours, 5, range(trials), device=CPU, dtype=torch.float64)
    for tensor_name, tensor in made.params.items():  # away from the initial gamma 1, beta 0
        if tensor_name.endswith(("gamma", "beta")):
            tensor.add_(torch.empty_like(tensor).uniform_(-0.5, 0.5))
    return made


@pytest.mark.parametrize(
    ("trials", "colours", "side", "head"),
    [
        (1, 3, 8, {}),
        (3, 1, 7, {"depth": 4, "linear_layers": 2, "bias": False}),
        (2, 3, 4, {"depth": 3, "activation": Activation.leaky_relu}),
    ],
)
@pytest.mark.parametrize("name", [ModelName.resnet20, ModelName.resnet18, ModelName.vgg13])
def test_loss_gradients_statistics_and_features_are_torch_s(
    name: ModelName, trials: int, colours: int, side: int, head: dict[str, object]
) -> None:
    stack = network(name, trials, colours, **head)
    parts = [as_plain(stack, t, colours, side, 5) for t in range(trials)]
    x = torch.randn(6, trials, colours, side, side, dtype=torch.float64)
    y = torch.randint(5, (6, trials))
    loss = stack.loss_and_gradient(x, functional.one_hot(y, 5).double())
    for t, reference in enumerate(parts):
        logits = forward(reference.train(), x[:, t])[-1]
        expected = functional.cross_entropy(logits, y[:, t])
        expected.backward()
        torch.testing.assert_close(loss.value[t], expected.detach(), **EXACT)
        assert loss.correct[t] == (logits.argmax(1) == y[:, t]).sum()
        seen = set()
        for ours, module, theirs in matched(stack, reference):
            tensor = getattr(module, theirs)
            got = stack.buffers[ours][t] if ours in stack.buffers else stack.grads[ours][t]
            torch.testing.assert_close(got, tensor if ours in stack.buffers else tensor.grad, **EXACT)
            seen.add(ours)
        assert seen == set(stack.params | stack.buffers)
    images = torch.randn(5, colours, side, side, dtype=torch.float64)
    outputs = list(stack.features(images))
    assert [layer for layer, _ in outputs] == list(range(stack.depth + 1))
    for t, reference in enumerate(parts):
        for (_, got), expected in zip(outputs, forward(reference.eval(), images), strict=True):
            torch.testing.assert_close(got[t], expected.detach(), **EXACT)


@pytest.mark.parametrize("chunks", [(9, 2**24), (64, 9 * 4 * 64 * 8)])  # three images of three trials, in both ways
def test_features_in_chunks_are_those_of_all_at_once(monkeypatch: pytest.MonkeyPatch, chunks: tuple[int, int]) -> None:
    stack, x = network(ModelName.resnet18, depth=2), torch.randn(11, 3, 8, 8, dtype=torch.float64)
    whole = dict(stack.features(x))
    monkeypatch.setitem(convolutional._CHUNKS, "cpu", chunks)
    for layer, chunked in stack.features(x):
        torch.testing.assert_close(chunked, whole[layer], **EXACT)


def test_batch_statistics_are_train_mode_s_and_leave_the_running_ones_alone() -> None:
    stack, x = network(ModelName.resnet18, depth=2), torch.randn(11, 3, 8, 8, dtype=torch.float64)
    before = {name: tensor.clone() for name, tensor in stack.buffers.items()}
    batch = dict(stack.features(x, batch_statistics=True))
    assert all(torch.equal(before[name], tensor) for name, tensor in stack.buffers.items())
    for t in range(3):
        for layer, expected in enumerate(forward(as_plain(stack, t, 3, 8, 5).train(), x)):
            torch.testing.assert_close(batch[layer][t], expected.detach(), **EXACT)


@pytest.mark.parametrize("name", [ModelName.resnet20, ModelName.resnet18, ModelName.vgg13])
def test_a_trial_starts_alike_alone_and_in_any_stack_and_as_he_et_al_say(name: ModelName) -> None:
    config = ModelConfig(name=name, channels=16, depth=2, width=6)
    stack = ConvolutionalNetwork(config, 1, 5, [7, 3, 7], device=CPU)
    for t, seed in enumerate([7, 3, 7]):
        assert torch.equal(ConvolutionalNetwork(config, 1, 5, [seed], device=CPU).flat[0], stack.flat[t])
    assert not torch.equal(stack.flat[0], stack.flat[1])
    weights = [w for n, w in stack.params.items() if n.endswith("conv2.weight")]
    for weight in weights:  # variance 2 / fan-out, which is 9 times the channels
        assert weight.square().mean().item() == pytest.approx(2 / (9 * weight.shape[1]), rel=0.1)
    bound = stack.params["1.weight"].shape[2] ** -0.5
    assert 0.8 * bound < stack.params["1.weight"].abs().max() <= bound


def test_a_stack_of_one_reads_its_weights_where_they_are() -> None:
    stack = network(ModelName.resnet20, trials=1)
    assert all(view.flatten(0, 1).data_ptr() == view.data_ptr() for view in stack.params.values())


@pytest.mark.parametrize("trials", [1, 2])
def test_float32_agrees_with_float64(trials: int) -> None:
    """oneDNN's kernels, which float64 does not use."""
    config = ModelConfig(name=ModelName.resnet20, channels=16, depth=1)
    single, double = (
        ConvolutionalNetwork(config, 3, 5, range(trials), device=CPU, dtype=d) for d in (torch.float32, torch.float64)
    )
    x, targets = torch.randn(16, trials, 3, 12, 12), functional.one_hot(torch.randint(5, (16, trials)), 5)
    single.loss_and_gradient(x, targets.float())
    double.loss_and_gradient(x.double(), targets.double())
    error = (single.flat_grad - double.flat_grad).norm() / double.flat_grad.norm()
    assert error < 0.02  # a ReLU whose input is 0 but for rounding passes a gradient in one and not in the other


def test_he_s_gain_of_a_head_is_that_of_the_activation_behind_each_layer() -> None:
    wide = {"width": 300, "depth": 4, "linear_layers": 2, "channels": 32, "init": Init.he}
    stack = network(ModelName.resnet20, trials=1, **wide)
    for i, squared in ((1, 6.0), (2, 6.0), (3, 3.0), (4, 3.0)):  # 6/(1 + slope^2) of a ReLU, and where nothing follows
        weight = stack.params[f"{i}.weight"][0]
        assert weight.abs().max() == pytest.approx((squared / weight.shape[1]) ** 0.5, rel=5e-3), i


def test_the_backbone_s_weights_have_the_variance_of_their_fan_out() -> None:
    stack = ConvolutionalNetwork(ModelConfig(name=ModelName.resnet20, channels=32, depth=1), 3, 5, [0], device=CPU)
    weight = stack.params[f"backbone.{next(iter(stack.backbone.units))}.weight"][0]
    outputs, inputs, kernel, _ = weight.shape
    assert outputs != inputs
    assert float(weight.var()) == pytest.approx(2 / (outputs * kernel**2), rel=0.1)

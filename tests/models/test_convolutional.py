"""Against the same networks as a person would write them with torch.nn."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nc_runner.config import Activation, ModelConfig, ModelName
from nc_runner.models import ConvolutionalNetwork, convolutional

CPU = torch.device("cpu")
EXACT = {"rtol": 1e-8, "atol": 1e-10}


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int, projection: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        if stride > 1 and projection:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.stride, self.projection, self.more = stride, projection, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        if self.stride > 1:
            x = self.shortcut(x) if self.projection else functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.more))
        return functional.relu(h + x)


def conv(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def plain(config: ModelConfig, colours: int, side: int, classes: int) -> nn.ModuleList:
    """Backbone, then head: for the layers' outputs, run part by part."""
    c, parts = config.channels, list[nn.Module]()
    if config.name is ModelName.vgg13:
        inputs = colours
        for width in (c, 2 * c, 4 * c, 8 * c, 8 * c):
            parts += conv(inputs, width) + conv(width, width)
            if side > 1:
                parts.append(nn.MaxPool2d(2))
            inputs, side = width, side // 2
    else:
        stages, blocks = (3, 3) if config.name is ModelName.resnet20 else (4, 2)
        parts, inputs = conv(colours, c), c
        for stage in range(stages):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                parts.append(Block(inputs, c * 2**stage, stride, config.name is ModelName.resnet18))
                inputs = c * 2**stage
    backbone = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    activation = {Activation.relu: nn.ReLU, Activation.leaky_relu: nn.LeakyReLU}[config.activation]
    head, widths = list[nn.Module](), [inputs] + [config.width] * (config.depth - 1) + [classes]
    for i, (a, b) in enumerate(pairwise(widths), 1):
        linear = nn.Linear(a, b, bias=config.bias)
        head.append(nn.Sequential(linear, activation()) if i <= config.depth - config.linear_layers else linear)
    return nn.ModuleList([backbone, *head]).double()


def forward(parts: nn.ModuleList, x: Tensor) -> list[Tensor]:
    outputs = []
    for part in parts:
        outputs.append(x := part(x))
    return outputs


def matched(network: ConvolutionalNetwork, parts: nn.ModuleList) -> Iterator[tuple[str, nn.Module, str]]:
    """(name in the stack, module, name of its tensor): units come in the order of the modules."""
    units = [f"backbone.{name}" for name in network.backbone.units]
    layers = [str(i) for i in range(1, network.depth + 1)]
    for kind, prefixes, names in (
        (nn.Conv2d, units, {"weight": "weight"}),
        (nn.BatchNorm2d, units, {"weight": "gamma", "bias": "beta"} | {n: n for n in ("running_mean", "running_var")}),
        (nn.Linear, layers, {"weight": "weight"} | ({"bias": "bias"} if network.config.bias else {})),
    ):
        modules = [module for module in parts.modules() if isinstance(module, kind)]
        for prefix, module in zip(prefixes, modules, strict=True):
            yield from ((f"{prefix}.{ours}", module, theirs) for theirs, ours in names.items())


def as_plain(network: ConvolutionalNetwork, trial: int, colours: int, side: int, classes: int) -> nn.ModuleList:
    parts = plain(network.config, colours, side, classes)
    tensors = network.params | network.buffers
    for name, module, of in matched(network, parts):
        getattr(module, of).data.copy_(tensors[name][trial])
    assert sum(p.numel() for p in parts.parameters()) == network.flat.shape[1]
    return parts


def network(name: ModelName, trials: int = 3, colours: int = 3, **keys: object) -> ConvolutionalNetwork:
    config = ModelConfig(name=name, **({"channels": 4, "depth": 1, "width": 6} | keys))  # type: ignore[arg-type]
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


def test_features_in_chunks_are_those_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stack, x = network(ModelName.resnet18, depth=2), torch.randn(11, 3, 8, 8, dtype=torch.float64)
    whole = dict(stack.features(x))
    monkeypatch.setitem(convolutional._CHUNK_BYTES, "cpu", 3 * (3 * 4 * 64 * 8))  # three images of three trials
    for layer, chunked in stack.features(x):
        torch.testing.assert_close(chunked, whole[layer], **EXACT)
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
    assert error < 1e-3

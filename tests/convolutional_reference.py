"""Convolutional networks as a person would write them with torch.nn, with the weights of a stack."""

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from nc_runner.config.choices import Activation, ModelName
from nc_runner.config.schema import ModelConfig
from nc_runner.models import ConvolutionalNetwork


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
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps, module.momentum = config.batch_norm_eps, config.batch_norm_momentum
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

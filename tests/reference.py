"""The same network as a person would write it with torch.nn."""

from torch import Tensor, nn

from nc_runner.config.choices import Activation, LossName, Norm
from nc_runner.models import MLP, ResidualMLP

ACTIVATIONS = {
    Activation.relu: nn.ReLU, Activation.leaky_relu: nn.LeakyReLU, Activation.linear: nn.Identity,
    Activation.tanh: nn.Tanh, Activation.gelu: nn.GELU, Activation.silu: nn.SiLU, Activation.elu: nn.ELU,
}  # fmt: skip


def linear(network: MLP, i: int, trial: int) -> nn.Linear:
    """Layer i of one trial."""
    out, inputs = network.params[f"{i}.weight"].shape[1:]
    layer = nn.Linear(inputs, out, bias=network.config.bias, dtype=network.flat.dtype)
    layer.load_state_dict({n: network.params[f"{i}.{n}"][trial].clone() for n in layer.state_dict()})
    return layer


def as_torch(network: MLP, trial: int) -> nn.Sequential:
    """One trial of a stack as an ordinary torch module with the same parameters."""
    config, parts = network.config, []
    dtype = network.flat.dtype
    for i in range(1, network.depth + 1):
        parts.append(linear(network, i, trial))
        if isinstance(network, ResidualMLP):
            if 1 < i < network.depth:
                parts[-1] = Block(parts[-1], ACTIVATIONS[config.activation]())
        elif i < network.depth:
            linear_head = i > network.depth - config.linear_layers
            parts.append(nn.Identity() if linear_head else ACTIVATIONS[config.activation]())
            if config.norm is not Norm.none and i in (config.norm_on or range(1, network.depth)):
                affine, out = config.norm is not Norm.plain, network.params[f"{i}.weight"].shape[1]
                if config.norm is Norm.layer:
                    parts.append(nn.LayerNorm(out, config.batch_norm_eps, dtype=dtype))
                else:
                    eps, momentum = config.batch_norm_eps, config.batch_norm_momentum
                    parts.append(nn.BatchNorm1d(out, eps, momentum, affine=affine, dtype=dtype))
                if affine:
                    parts[-1].weight.data.copy_(network.params[f"{i}.gamma"][trial])
                    parts[-1].bias.data.copy_(network.params[f"{i}.beta"][trial])
    return nn.Sequential(*parts)


class Block(nn.Module):
    """z + activation(W z)."""

    def __init__(self, linear: nn.Linear, activation: nn.Module) -> None:
        super().__init__()
        self.linear, self.activation = linear, activation

    def forward(self, z: Tensor) -> Tensor:
        """[B, C] -> [B, C]."""
        return z + self.activation(self.linear(z))


def linears(module: nn.Module) -> list[nn.Linear]:
    """The linear layers, from the first."""
    return [part for part in module.modules() if isinstance(part, nn.Linear)]


def loss_of(name: LossName, outputs: Tensor, y: Tensor) -> Tensor:
    """The loss as torch.nn.functional has it, of outputs [B, K] and labels [B]."""
    if name is LossName.cross_entropy:
        return nn.functional.cross_entropy(outputs, y)
    targets = nn.functional.one_hot(y, outputs.shape[1]).to(outputs.dtype)
    return nn.functional.mse_loss(outputs, targets, reduction="sum") / (2 * len(y))

"""The same network as a person would write it with torch.nn."""

from torch import nn

from nc_runner.config import Activation, Norm
from nc_runner.models import MLP

ACTIVATIONS = {Activation.relu: nn.ReLU, Activation.leaky_relu: nn.LeakyReLU, Activation.linear: nn.Identity}


def as_torch(network: MLP, trial: int) -> nn.Sequential:
    """One trial of a stack as an ordinary torch module with the same parameters."""
    config, parts = network.config, []
    dtype = network.flat.dtype
    for i in range(1, network.depth + 1):
        out, inputs = network.params[f"{i}.weight"].shape[1:]
        parts.append(nn.Linear(inputs, out, dtype=dtype))
        parts[-1].load_state_dict({n: network.params[f"{i}.{n}"][trial].clone() for n in ("weight", "bias")})
        if i < network.depth:
            parts.append(ACTIVATIONS[config.activation]())
            if config.norm is not Norm.none:
                affine = config.norm is Norm.affine
                parts.append(
                    nn.BatchNorm1d(out, config.batch_norm_eps, config.batch_norm_momentum, affine=affine, dtype=dtype)
                )
                if affine:
                    parts[-1].weight.data.copy_(network.params[f"{i}.gamma"][trial])
                    parts[-1].bias.data.copy_(network.params[f"{i}.beta"][trial])
    return nn.Sequential(*parts)

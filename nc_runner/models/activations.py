"""Activations of a stack's hidden layers, forward and backward, element by element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from nc_runner.config.choices import Activation

_leaky_relu_backward = torch.ops.aten.leaky_relu_backward.default
_threshold_backward = torch.ops.aten.threshold_backward.default
_tanh_backward = torch.ops.aten.tanh_backward.default
_elu_backward = torch.ops.aten.elu_backward.default
_gelu_backward = torch.ops.aten.gelu_backward.default
_silu_backward = torch.ops.aten.silu_backward.default

# Below 0, of those that are linear on either side.
SLOPES = {Activation.relu: 0.0, Activation.leaky_relu: 0.01, Activation.linear: 1.0}


class Pointwise(NamedTuple):
    """An activation.

    Attributes:
        forward: may overwrite its argument where the backward pass does not look at that.
        backward: the gradient before the activation, from that after it and what is ``kept``.
        from_input: whether that is the input; else the output, which spares memory.
        mean_square: of the output for a standard normal input.
    """

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    mean_square: float
    from_input: bool = False

    def kept(self, z: Tensor, out: Tensor) -> Tensor:
        """What the backward pass looks at, of input and output."""
        return z if self.from_input else out

    def derivative(self, z: Tensor) -> Tensor:
        """At inputs z."""
        kept = z if self.from_input else self.forward(z.clone())
        return self.backward(torch.ones_like(z), kept)


def linear_by_parts(slope: float) -> Pointwise:
    """``z`` where positive and ``slope * z`` elsewhere (0: ReLU, 1: none); the output has the sign of the input."""
    mean_square = (1 + slope**2) / 2
    if slope == 0.0:
        return Pointwise(torch.relu_, lambda grad, out: _threshold_backward(grad, out, 0), mean_square)
    if slope == 1.0:
        return Pointwise(lambda z: z, lambda grad, _: grad, mean_square)
    return Pointwise(
        lambda z: functional.leaky_relu_(z, slope),
        lambda grad, out: _leaky_relu_backward(grad, out, slope, True),
        mean_square,
    )


NONE = linear_by_parts(1.0)

ACTIVATIONS: Mapping[Activation, Pointwise] = {
    **{activation: linear_by_parts(slope) for activation, slope in SLOPES.items()},
    Activation.tanh: Pointwise(torch.tanh_, _tanh_backward, 0.394294),
    Activation.elu: Pointwise(
        functional.elu_, lambda grad, out: _elu_backward(grad, 1.0, 1.0, 1.0, True, out), 0.644945
    ),
    Activation.gelu: Pointwise(functional.gelu, _gelu_backward, 0.425221, from_input=True),
    Activation.silu: Pointwise(functional.silu, _silu_backward, 0.355776, from_input=True),
}

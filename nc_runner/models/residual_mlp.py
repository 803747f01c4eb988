"""A stack of residual networks: a linear first layer, blocks ``z + activation(W z)``, a linear head; no norm.

The residual architecture of Zangrando et al. (2026) with a free first layer [choice]: with the linear activation the
blocks are ``z + W z``, of which :mod:`nc_runner.theory` has the optimum.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from nc_runner.models import layers
from nc_runner.models.mlp import MLP, Passed


class ResidualMLP(MLP):
    """T networks of equal shape: layer 1 is the first, ``depth`` the head, those between are blocks."""

    def _forward(self, x: Tensor, *, dropout: bool = False) -> Passed:
        """From x [T, B, D]; what blocks add to their inputs is in ``activated``, first that of layer 2."""
        inputs, activated, kept = [x, self.linear[1](x)], [], []
        for i in range(2, self.depth):
            out, seen = self._activated(i, inputs[-1])
            activated.append(out)
            kept.append(seen)
            inputs.append(inputs[-1] + out)
        return Passed(inputs, activated, kept, {}, {}, self.linear[self.depth](inputs[-1]))

    def _backward(self, passed: Passed, grad: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Every linear layer from the head, its inputs and the gradient at its output before the activation."""
        yield self.depth, passed.inputs[-1], grad
        grad = self.linear[self.depth].to_input(grad)
        for i in range(self.depth - 1, 1, -1):
            inside = self.pointwise[i].backward(grad, passed.kept[i - 2])
            yield i, passed.inputs[i - 1], inside
            grad = grad + self.linear[i].to_input(inside)
        yield 1, passed.inputs[0], grad

    def features(self, x: Tensor, *, batch_statistics: bool = False) -> Iterator[tuple[int, Tensor]]:
        """The output of each layer on ``x [N, D]``: pairs (layer from 1, [T, N, C]), the last (depth, logits).

        A block's output is taken after its sum. There is no BatchNorm, so ``batch_statistics`` changes nothing.
        """
        passed = self._forward(layers.enter(x.expand(self.trials, -1, -1)))
        for i, h in enumerate([*passed.inputs[1:], passed.outputs], 1):
            yield i, layers.leave(h)

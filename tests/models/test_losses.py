"""The losses are torch's, with their gradients and how many samples are right."""

import pytest
import torch
from torch import nn

from nc_runner.config.choices import LossName
from nc_runner.models.losses import loss_of


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("classes", [2, 5])
def test_smoothed_cross_entropy_is_torch_s(smoothing: float, classes: int) -> None:
    """What is right is so by the label, however far that is spread."""
    outputs = torch.randn(3, 40, classes, dtype=torch.float64, requires_grad=True)
    y = torch.randint(classes, (3, 40))
    targets = nn.functional.one_hot(y, classes).double()
    loss = loss_of(LossName.cross_entropy, smoothing)(outputs.detach(), targets)
    each = [nn.CrossEntropyLoss(label_smoothing=smoothing)(outputs[t], y[t]) for t in range(3)]
    torch.testing.assert_close(loss.value, torch.stack(each).detach(), rtol=1e-12, atol=1e-14)
    (gradient,) = torch.autograd.grad(sum(each), outputs)
    torch.testing.assert_close(loss.grad, gradient, rtol=1e-10, atol=1e-14)
    assert loss.correct.tolist() == (outputs.argmax(-1) == y).sum(1).tolist()
    assert int(loss.correct.sum()) < 3 * 40

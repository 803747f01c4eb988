"""Each convolution that a backbone can ask for, forward and backward, in a process of its own.

Its own, because what this guards against corrupts the heap: it ends the process, or another one's numbers.
"""

import subprocess
import sys

CHECK = """
import itertools
import torch
from torch.nn import functional
from nc_runner.models.convolutional import convolution

torch.manual_seed(0)
done = 0
for channels, stride, groups, kernel in itertools.product(range(1, 10), (1, 2), (1, 2, 3), (1, 3)):
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(4, groups * channels, 8, 8)
        weight = torch.randn(groups * 2 * channels, channels, kernel, kernel)
        ours = [x.clone(memory_format=layout).requires_grad_(), weight.clone(memory_format=layout).requires_grad_()]
        theirs = [x.double().requires_grad_(), weight.double().requires_grad_()]
        out = convolution(*ours, stride=stride, groups=groups)
        expected = functional.conv2d(*theirs, None, stride, kernel // 2, groups=groups)
        up = torch.randn(out.shape)
        grads = torch.autograd.grad(out, ours, up)
        of_expected = torch.autograd.grad(expected, theirs, up.double())
        for found, wanted in ((out, expected), *zip(grads, of_expected)):
            torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-4)
        done += 1
print(done)
"""


def test_every_convolution_and_its_gradient_are_those_of_float64() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(9 * 2 * 3 * 2 * 2)]


NO_STRIDED = """
import torch
from torch.nn import functional
from nc_runner.models import convolutional

asked = []
plain = functional.conv2d
functional.conv2d = lambda h, weight, bias, stride, *rest, **more: (
    asked.append((weight.shape[-1], stride)), plain(h, weight, bias, stride, *rest, **more))[1]
x = torch.randn(2, 4, 6, 6).contiguous(memory_format=torch.channels_last)
convolutional.convolution(x, torch.randn(8, 4, 1, 1), stride=2, groups=1)
convolutional.convolution(x, torch.randn(8, 4, 3, 3), stride=2, groups=1)
assert asked == [(1, 1), (3, 2)], asked
"""


def test_onednn_is_never_asked_for_a_strided_1_x_1_convolution() -> None:
    """The path that corrupts the heap does so on some processors only, so it is not taken on any."""
    done = subprocess.run([sys.executable, "-c", NO_STRIDED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

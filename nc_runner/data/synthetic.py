"""Synthetic data sets: the two of Pan (2023), and a balanced one whose labels do not depend on the inputs.

Pan labels normal inputs by a random network (the teacher), or by an arrangement of hyperplanes (the conic hull). Both
are bit for bit the arrays the authors published, so they use numpy's legacy ``RandomState`` and torch's global
initialisation order on purpose.
"""

from __future__ import annotations

import math
import threading

import numpy as np
import torch
from torch import Tensor, nn

from nc_runner.rng import generator

_global_generator = threading.Lock()  # all threads of a process have it in common, and stacks may train in threads


def teacher(
    samples: int = 10_000,
    dim: int = 16,
    classes: int = 4,
    *,
    input_seed: int = 10_000,
    label_seed: int = 12_138,
    depth: int = 3,
    width: int = 200,
) -> tuple[Tensor, Tensor]:
    """Normal inputs labelled by a random MLP ``Linear [ReLU BatchNorm Linear]*`` of ``depth`` linear layers.

    The teacher's BatchNorm runs in train mode over the one batch of all samples; the label is its argmax.
    With the defaults the class counts are 2654, 2442, 2147, 2757 (Pan 2023, section 3; recovered from the
    authors' arrays).

    Returns:
        x float32 [samples, dim] and y int64 [samples].
    """
    x = torch.from_numpy(np.random.RandomState(input_seed).randn(samples, dim).astype(np.float32))
    with torch.no_grad():
        return x, _teacher(dim, classes, label_seed, depth, width)(x).argmax(1)


def teacher_test(
    training_x: Tensor,
    samples: int,
    classes: int,
    *,
    input_seed: int,
    label_seed: int,
    depth: int,
    width: int,
) -> tuple[Tensor, Tensor]:
    """Other inputs, labelled as :func:`teacher` labelled ``training_x``: BatchNorm keeps the statistics of those."""
    network = _teacher(training_x.shape[1], classes, label_seed, depth, width)
    for module in network:
        if isinstance(module, nn.BatchNorm1d):
            module.momentum = 1.0
    x = _other_inputs(samples, training_x.shape[1], input_seed).float()
    with torch.no_grad():
        network(training_x)
        for module in network:
            if isinstance(module, nn.BatchNorm1d) and module.running_var is not None:
                module.running_var *= (len(training_x) - 1) / len(training_x)  # in train mode it divides by N
        return x, network.eval()(x).argmax(1)


def _other_inputs(samples: int, dim: int, seed: int) -> Tensor:
    """Normal inputs float64 [samples, dim], of a stream of random numbers that no training set draws from."""
    return torch.randn(samples, dim, generator=generator(seed, "test inputs"), dtype=torch.float64)


def _teacher(dim: int, classes: int, label_seed: int, depth: int, width: int) -> nn.Sequential:
    """The random MLP, in train mode."""
    widths = [dim] + [width] * (depth - 1) + [classes]
    with _global_generator, torch.random.fork_rng(devices=[]):
        torch.manual_seed(label_seed)
        layers: list[nn.Module] = []
        for i in range(depth):
            layers.append(nn.Linear(widths[i], widths[i + 1]))
            if i < depth - 1:
                layers += [nn.ReLU(), nn.BatchNorm1d(widths[i + 1])]
    return nn.Sequential(*layers).train()


def balanced(samples: int, dim: int, classes: int, *, input_seed: int) -> tuple[Tensor, Tensor]:
    """Normal inputs, labelled 0, 1, .., classes-1, 0, 1, .. whatever they are: for models that fit any labels.

    Args:
        samples: N, a multiple of ``classes`` where all classes are to have equally many.

    Returns:
        x float32 [samples, dim] and y int64 [samples].
    """
    x = torch.from_numpy(np.random.RandomState(input_seed).randn(samples, dim).astype(np.float32))
    return x, torch.arange(samples) % classes


def conic_hull(
    samples: int = 10_000, dim: int = 16, classes: int = 4, *, label_seed: int = 12_138
) -> tuple[Tensor, Tensor]:
    """Normal inputs labelled by their cell among P = ceil(log2 classes) random hyperplanes through the origin.

    The side of the first hyperplane is the most significant bit of the cell's number. When ``classes`` is not a power
    of two the first 2 * (2^P - classes) cells merge in pairs. With the defaults the class counts are 2308, 2669, 2607,
    2416 (Pan 2023, section 3.1; recovered from the authors' arrays).

    Returns:
        x float32 [samples, dim] and y int64 [samples].
    """
    x, planes = conic_hull_with_planes(samples, dim, classes, label_seed=label_seed)
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(conic_hull_labels(x, planes, classes))


def conic_hull_test(samples: int, dim: int, classes: int, *, label_seed: int) -> tuple[Tensor, Tensor]:
    """Other inputs, labelled by the hyperplanes of :func:`conic_hull`."""
    _, planes = conic_hull_with_planes(1, dim, classes, label_seed=label_seed)
    x = _other_inputs(samples, dim, label_seed).numpy()
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(conic_hull_labels(x, planes, classes))


def conic_hull_with_planes(samples: int, dim: int, classes: int, *, label_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The inputs [samples, dim] and the hyperplanes' normals [P, dim], float64, drawn in the authors' order."""
    random = np.random.RandomState(label_seed)
    planes = random.randn(max(1, math.ceil(math.log2(classes))), dim)
    return random.randn(samples, dim), planes


def conic_hull_labels(x: np.ndarray, planes: np.ndarray, classes: int) -> np.ndarray:
    """The class int64 [N] of each point float64 [N, dim], by its cell among the hyperplanes with normals ``planes``."""
    side = (x @ planes.T > 0).astype(np.int64)
    cell = side @ (1 << np.arange(len(planes))[::-1])
    merged = 2 ** len(planes) - classes  # this many pairs, taken from the first cells
    labels: np.ndarray = np.where(cell < 2 * merged, cell // 2, cell - merged)
    return labels

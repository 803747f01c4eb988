"""What is measured of a linear head: its layers, their balance, Theorem B.1, what drives the imbalance.

Layers are numbered as in :mod:`head <nc_runner.experiments.jacot2025.head>`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nc_runner import metrics, theory
from nc_runner.config.schema import Config
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.jacot2025.head import Head, head_of
from nc_runner.experiments.measures import deep
from nc_runner.models import MLP, ConvolutionalNetwork, Network
from nc_runner.rng import generator

BATCHES = 64  # [choice] at most, over which the gradients' imbalance is averaged; fewer where an epoch has fewer


def measure(network: Network | None, x: Tensor, y: Tensor, config: Config, *, grams: int = 0) -> Iterator[Measurement]:
    """Fit, every layer, the theorem's bounds, what drives the imbalance, Gram matrices of the last ``grams`` layers."""
    assert isinstance(network, MLP | ConvolutionalNetwork)
    head = head_of(network, x, config)
    yield from deep.fit(network, head.outputs[-1], y, config)
    yield from layers(head, y)
    yield from pairs(head)
    yield from whole_head(head, y)
    if config.model.linear_layers >= 2:
        yield from bounds(head, y, config.data.classes)
        yield from driving(network, head, x, y, config)
    yield from gram_matrices(head, y, last=grams)


def layers(head: Head, y: Tensor) -> Iterator[Measurement]:
    """NC1, NC2 and orthogonality of Z_0 to Z_L, negativity of the pre-activations of layers 1 to L."""
    for layer, z in enumerate(head.outputs):
        yield layer, "within_between_trace_ratio", metrics.within_between_trace_ratio(z, y)
        yield layer, "class_mean_condition_number", metrics.class_mean_condition_number(z, y, centred=False)
        yield layer, "class_mean_absolute_cosine", mean_absolute_cosine(metrics.class_means(z, y))
    for layer, weight in enumerate(head.weights, 1):
        yield layer, "negativity", metrics.negativity(head.outputs[layer - 1] @ weight.mT)


def mean_absolute_cosine(vectors: Tensor) -> Tensor:
    """Mean over pairs of vectors [T, K, D] of |cos|, in float64 [T]: 0 of orthogonal ones. NaN where one is zero."""
    directions = vectors.double() / torch.linalg.vector_norm(vectors.double(), dim=-1, keepdim=True)
    count = vectors.shape[-2]
    cosines = (directions @ directions.mT).abs()
    of_pairs: Tensor = cosines.sum((-2, -1)) - cosines.diagonal(dim1=-2, dim2=-1).sum(-1)
    return of_pairs / (count * (count - 1))


def pairs(head: Head) -> Iterator[Measurement]:
    """Of layers 1 to L-1 with the next: the imbalance ||W_{l+1}^T W_{l+1} - W_l W_l^T||_op, and balancedness."""
    for layer in range(1, head.depth):
        weight, following = head.weights[layer - 1], head.weights[layer]
        yield layer, "imbalance", metrics.operator_norm(gram_difference(following, weight))
        yield layer, "balancedness", metrics.balancedness(following, weight)


def gram_difference(following: Tensor, weight: Tensor) -> Tensor:
    """V^T V - W W^T in float64, [T, M, M], of weights or of their gradients."""
    following, weight = following.double(), weight.double()
    return following.mT @ following - weight @ weight.mT


def whole_head(head: Head, y: Tensor) -> Iterator[Measurement]:
    """Condition numbers of W_L and of the product of the linear layers (s_1/s_K), and NC3 of the last layer."""
    last, product = head.weights[-1], head.weights[-1].double()
    for weight in reversed(head.weights[head.nonlinear : -1]):
        product = product @ weight.double()
    for name, matrix in (("last_weight", last), ("linear_head", product)):
        yield None, f"{name}_condition_number", weight_condition_number(matrix)
    duality = metrics.self_duality_cosine(head.outputs[-2], y, last, centred=False)
    yield None, "self_duality_cosine", duality.mean(-1)


def weight_condition_number(weight: Tensor) -> Tensor:
    """s_1/s_K of a matrix [T, K, D]: that of class means which are its rows."""
    rows = torch.arange(weight.shape[-2], device=weight.device)
    return metrics.class_mean_condition_number(weight, rows, centred=False)


def bounds(head: Head, y: Tensor, classes: int) -> Iterator[Measurement]:
    """Theorem B.1 for Z_{L-1}, from what this network has on all its samples: as printed, and its sharper form."""
    *_, before, last = head.weights
    z2, z1, z0 = (head.outputs[-3], head.outputs[-2], head.outputs[-1])
    targets = one_hot(y, classes).double()
    common = {
        "interpolation_error": torch.linalg.matrix_norm(z0.double() - targets),
        "imbalance": metrics.operator_norm(gram_difference(last, before)),
        "width": last.shape[-1],
        "samples": len(y),
        "num_classes": classes,
    }
    w, inputs, features = (metrics.operator_norm(matrix) for matrix in (last, z2, z1))
    largest = torch.stack([w, inputs, features]).amax(0)
    kappa = weight_condition_number(last)
    rank_deficient = kappa.isnan() & w.isfinite()
    kappa = kappa.masked_fill(rank_deficient, torch.inf)
    usable = w > 0  # a head that decayed to zero has no bound
    paper = theory.linear_head_bounds(
        **common, norm_bound=largest.where(largest > 0, torch.nan), condition_number=kappa.where(usable, torch.nan)
    )
    sharper = theory.sharper_linear_head_bounds(
        **common, weight_norm=w.where(usable, torch.nan), least_singular_value=w / kappa, feature_norm=inputs
    )
    for name, bound in (("bound", paper), ("sharper_bound", sharper)):
        yield head.depth - 1, f"trace_ratio_{name}", bound.trace_ratio
        yield head.depth - 1, f"condition_number_{name}", bound.condition_number


def driving(
    network: MLP | ConvolutionalNetwork, head: Head, x: Tensor, y: Tensor, config: Config
) -> Iterator[Measurement]:
    """What keeps linear layers from balance: ||mean over batches of S^T S - T T^T||_op, of layers L1+1 to L-1.

    T and S are the gradients, without the penalty, of a batch's loss at a layer's weight and at the next. The mean is
    one of matrices: what varies from batch to batch averages out over the 1/(2 eta lambda) steps that the imbalance
    remembers. The batches are those of one permutation, the same at every probe. Weights, gradients and statistics
    stay as they are.

    With momentum the plateau predicted from it is too high, by a factor of up to four in small networks. Within the
    memory of momentum the gradients of batches drawn without replacement, and of weights that answer to their noise,
    partly undo each other.
    """
    size = min(config.train.batch_size or len(y), len(y))
    order = torch.randperm(len(y), generator=generator(0, "imbalance"), device="cpu").to(y.device)
    batches = [batch for batch in order.split(size)[:BATCHES] if len(batch) == size]
    targets = one_hot(y, config.data.classes).to(x.dtype)
    kept, statistics = network.flat_grad.clone(), {name: value.clone() for name, value in network.buffers.items()}
    means = {layer: x.new_zeros((), dtype=torch.float64) for layer in range(head.nonlinear + 1, head.depth)}
    for batch in batches:
        network.loss_and_gradient(*(of_each_trial(rows[batch], network.trials) for rows in (x, targets)))
        for layer in means:
            weight, following = (network.grads[name] for name in head.names[layer - 1 : layer + 1])
            means[layer] = means[layer] + gram_difference(following, weight) / len(batches)
    network.flat_grad.copy_(kept)
    for name, value in statistics.items():  # BatchNorm's, which a pass in train mode moves
        network.buffers[name].copy_(value)
    for layer, mean in means.items():
        yield layer, "gradient_imbalance", metrics.operator_norm(mean)


def of_each_trial(rows: Tensor, trials: int) -> Tensor:
    """The same batch [B, ...] for every trial, [B, T, ...]."""
    return rows.unsqueeze(1).expand(-1, trials, *rows.shape[1:])


def gram_matrices(head: Head, y: Tensor, *, last: int) -> Iterator[Measurement]:
    """Inner products of the class means of the last layers' outputs, the upper triangle: ``gram_i_j``, i <= j."""
    for layer in range(max(0, head.depth + 1 - last), head.depth + 1):
        means = metrics.class_means(head.outputs[layer], y)
        gram = means @ means.mT
        for i in range(gram.shape[-1]):
            for j in range(i, gram.shape[-1]):
                yield layer, f"gram_{i}_{j}", gram[:, i, j]

"""Least representation costs from many starts, and the gradient of class means, for Theorem 4.2 and Lemma 3.4."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import one_hot, relu

from nc_runner import metrics, theory
from nc_runner.config.choices import Activation, Method, ModelName
from nc_runner.config.schema import Config
from nc_runner.errors import UserError
from nc_runner.experiments.base import Measurement
from nc_runner.experiments.measures import deep
from nc_runner.experiments.zangrando2026.representation_cost import FITS, Network, least_cost
from nc_runner.rng import generator

NETWORKS = 5  # [choice] random ones, whose gradients are measured
SHRINK = 10.0 ** -torch.linspace(0, 3, 13, dtype=torch.float64)  # of the deviations of inputs from class means [choice]


def measure(network: None, x: Tensor, y: Tensor, config: Config) -> Iterator[Measurement]:
    """``free_007`` and ``collapsed_007`` are the costs that the searches from the eighth start end at, if they fit.

    ``least_free`` and ``least_collapsed`` are the least of each, ``free_variation`` the largest relative cluster
    variation of a layer at the former, ``predicted`` the cost of linear networks, ``input_rank`` that of x.
    ``error_2_05`` of a layer is the distance of the gradients of the third network at the sixth shrinkage.
    """
    of = described(config)
    x, targets = x.double(), one_hot(y, config.data.classes).double()
    yield None, "input_rank", metrics.numerical_rank(x, relative_tolerance=1e-6)
    yield None, "predicted", torch.tensor(predicted(config), dtype=torch.float64)
    yield from costs(of, x, y, targets, config.train.epochs)
    yield from gradients(of, x, y, targets)


def described(config: Config) -> Network:
    """The network of a config."""
    model = config.model
    activation = relu if model.activation is Activation.relu else identity
    return Network(
        model.name is ModelName.residual_mlp,
        activation,
        model.width,
        config.data.classes,
        model.depth,
        model.feature_norm,
    )


def identity(z: Tensor) -> Tensor:
    """The activation of linear networks."""
    return z


def predicted(config: Config) -> float:
    """The least cost of linear networks: K times the squares of the singular values of W_2 to W_L, as lambda -> 0."""
    classes, depth, bound = config.data.classes, config.model.depth, config.model.feature_norm
    if config.model.name is ModelName.residual_mlp:
        of = theory.resnet_singular_values(0.0, classes, depth - 2, bound)
        return classes * (of.head.square() + (depth - 2) * of.block.square()).item()
    value = theory.feedforward_singular_values(0.0, classes, depth - 1, bound).singular_value
    return classes * (depth - 1) * value.square().item()


def costs(network: Network, x: Tensor, y: Tensor, targets: Tensor, starts: int) -> Iterator[Measurement]:
    """Both searches from every start: features of each sample, and of each class."""
    least: dict[str, float] = {}
    for start in range(starts):
        random = generator(start, "representation cost")
        weights = random_weights(network, random)
        first = torch.randn(network.width, x.shape[1], generator=random, dtype=torch.float64)
        of_class = torch.eye(targets.shape[1], dtype=torch.float64)
        for kind, inputs, labels in (("free", x, targets), ("collapsed", metrics.class_means(x, y), of_class)):
            flat = torch.cat([weight.flatten() for weight in (*weights, inputs @ first.mT)])
            found = least_cost(network, labels, flat)
            if found.residual > FITS:
                continue
            yield None, f"{kind}_{start:03d}", torch.tensor(found.cost, dtype=torch.float64)
            if kind == "free" and found.cost < least.get("free", torch.inf):
                variation = [metrics.total_cluster_variation(z, y, reduction="mean") for z in found.features]
                sizes = [z.square().sum(-1).mean() for z in found.features]
                largest = max((v / size).item() for v, size in zip(variation, sizes, strict=True))
            least[kind] = min(least.get(kind, torch.inf), found.cost)
    for kind, cost in least.items():
        yield None, f"least_{kind}", torch.tensor(cost, dtype=torch.float64)
    if "free" in least:
        yield None, "free_variation", torch.tensor(largest, dtype=torch.float64)


def random_weights(network: Network, random: torch.Generator) -> list[Tensor]:
    """Normal, of mean square 2 / fan-in before an activation; in blocks a tenth of that, and 1 / fan-in in the head."""
    scales = [0.2 if network.residual else 2.0] * (network.layers - 2) + [1.0]
    return [
        (scale / shape[1]) ** 0.5 * torch.randn(shape, generator=random, dtype=torch.float64)
        for scale, shape in zip(scales, network.shapes, strict=True)
    ]


def gradients(network: Network, x: Tensor, y: Tensor, targets: Tensor) -> Iterator[Measurement]:
    """Of layers 2 to L of random networks: TCV of the inputs z, and how far the gradient at their class means is.

    The gradient of (1/2N) sum ||f(z_i) - y_i||^2 at W_l, f the layers from l on, less that of the mean over classes.
    """
    means, of_class = metrics.class_means(x, y)[y], torch.eye(targets.shape[1], dtype=torch.float64)
    for number in range(NETWORKS):
        random = generator(number, "gradients of class means")
        weights = random_weights(network, random)
        first = torch.randn(network.width, x.shape[1], generator=random, dtype=torch.float64) / x.shape[1] ** 0.5
        for step, share in enumerate(SHRINK.tolist()):
            inputs = (means + share * (x - means)) @ first.mT
            features = network.features(weights, inputs if network.residual else network.activation(inputs))
            for layer, z in enumerate(features[:-1], 2):
                above = weights[layer - 2 :]
                whole = gradient(network, above, z, targets)
                of_means = gradient(network, above, metrics.class_means(z, y), of_class)
                yield layer, f"error_{number}_{step:02d}", torch.linalg.matrix_norm(whole - of_means)
                variation = metrics.total_cluster_variation(z, y, reduction="mean")
                yield layer, f"variation_{number}_{step:02d}", variation


def gradient(network: Network, weights: list[Tensor], z: Tensor, targets: Tensor) -> Tensor:
    """Of the mean squared loss of the layers ``weights`` on inputs z [N, D], at the first of these weights."""
    with torch.enable_grad():
        first = weights[0].detach().requires_grad_()
        outputs = network.features([first, *weights[1:]], z)[-1]
        loss = (outputs - targets).square().sum(-1).mean() / 2
        (found,) = torch.autograd.grad(loss, first)
    return found


def check(config: Config) -> None:
    """Refuse networks that the costs are not of."""
    deep.check(config)
    model, method = config.model, config.train.method
    if method is not Method.none:
        raise UserError(f"train.method={method.name}: costs are searched for, not trained; allowed is none.")
    if model.activation not in (Activation.relu, Activation.linear):
        raise UserError(f"model.activation={model.activation.name}: allowed are relu and linear.")
    if model.depth < 3:
        raise UserError(f"model.depth={model.depth}: a first layer, hidden ones and a head; allowed is at least 3.")
    if model.bias:
        raise UserError("model.bias=true: the cost is of networks without biases; allowed is false.")
    if model.width < config.data.classes:
        raise UserError(
            f"model.width={model.width}: takes a dimension for each class; allowed is at least "
            f"data.classes={config.data.classes}."
        )

"""Upper bound on a weight's distance from low rank, from weight decay and collapse."""

import torch
from torch import Tensor

from ._blocks import by_tiles
from ._inputs import check_samples, vectors_in_float64
from .variation import mean_variation


def rank_tcv_bound(
    backpropagated: Tensor, inputs: Tensor, labels: Tensor, weight: Tensor, weight_decay: float | Tensor
) -> Tensor:
    """(sum_{j > K} s_j^2)^{1/2} <= (1/lambda) [sqrt(TCV(delta) TCV(z)) + ||R||_F]   [derived].

    After Zangrando et al. (2026), whose bound is for critical points, where R = 0. This one holds at every step of
    training. With z_i the inputs of a layer, delta_i the gradient of sample i's loss at the layer's output before the
    activation, L_0 the mean loss and W the weight,

        R = grad_W L_0 + lambda W,   grad_W L_0 = (1/N) sum_i delta_i z_i^T.

    Split the sum into class means and deviations from them: lambda W is a matrix of rank at most K, plus R, minus
    (1/N) sum_i (delta_i - mean_k)(z_i - mean_k)^T, which Cauchy-Schwarz bounds. TCV is `total_cluster_variation` with
    reduction "mean", s_j are the singular values of W, and K is the number of classes that occur. The left-hand side is
    sqrt(relative_rank_distance(W, K)) ||W||_F.

    Args:
        backpropagated: delta, `[..., N, M]`, any floating dtype; computed in float64. Of each sample's own loss: a
            backward pass from the mean loss gives delta/N.
        inputs: z, `[..., N, D]`, any floating dtype; without the 1 that a bias would add.
        labels: `[N]`, any integer dtype, values 0 or more.
        weight: W, `[..., M, D]`.
        weight_decay: lambda > 0, as torch's SGD applies it, a number or `[...]`. The batch axes of all broadcast.

    Returns:
        The right-hand side, `[...]` float64; NaN for a batch entry of which any argument is not all finite.

    Raises:
        ValueError: wrong dtype or shape, a negative label, or weight_decay out of range.
    """
    backpropagated, classes = check_samples(backpropagated, labels, "backpropagated")
    inputs, classes = check_samples(inputs, labels, "inputs")
    weight = vectors_in_float64("weight", weight)
    fitting = (backpropagated.shape[-1], inputs.shape[-1])
    if weight.shape[-2:] != fitting:
        raise ValueError(
            f"weight has shape {tuple(weight.shape)}; its last two axes must be those of a map from inputs to "
            f"backpropagated, {fitting}."
        )
    decay = torch.as_tensor(weight_decay, dtype=torch.float64, device=weight.device).detach()
    if bool((decay <= 0).any()):
        raise ValueError(f"weight_decay is {float(decay[decay <= 0][0]):g}; it must be greater than 0.")
    numbers = (backpropagated.numel() + inputs.numel()) // len(labels)
    parts = (
        [of[..., some, :].to(torch.float64) for of in (backpropagated, inputs)]
        for some in by_tiles(len(labels), numbers)
    )
    residual = sum(signal.mT @ z for signal, z in parts) / len(labels) + decay[..., None, None] * weight
    within = (mean_variation(backpropagated, classes) * mean_variation(inputs, classes)).sqrt()
    distance: Tensor = torch.linalg.matrix_norm(residual)
    return (within + distance) / decay

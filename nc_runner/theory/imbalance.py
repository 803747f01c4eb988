"""How weight decay balances consecutive layers, one step of gradient descent at a time."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._inputs import in_float64


class ImbalanceDecay(NamedTuple):
    """What the recursion makes of an imbalance; every field has the same shape."""

    kept: Tensor
    """(1 - eta lambda)^(2 t), the share of the initial imbalance that is left."""
    plateau: Tensor
    """The limit for t -> infinity."""
    imbalance: Tensor
    """kept * imbalance0 + (1 - kept) * plateau."""


def imbalance_step(
    imbalance: Tensor,
    gradient_next: Tensor,
    gradient: Tensor,
    learning_rate: float | Tensor,
    weight_decay: float | Tensor,
) -> Tensor:
    """D after a step of gradient descent: (1 - eta lambda)^2 D + eta^2 (S^T S - T T^T) (Jacot et al., 2025) [derived].

    D = V^T V - W W^T, V the layer after W, with nothing between them: no activation, normalisation, bias or skip
    connection. Both follow W <- W - eta (T + lambda W), T and S the gradients of one and the same loss, of any batch,
    at W and V. It is exact: the terms of first order in T cancel, as S is delta Z^T with Z = W X the output of W and T
    is V^T delta X^T, so V^T S = T W^T. What comes before W and after V may be anything. If a ReLU lies between them
    only the diagonals of the two sides are equal, one number for each neuron.

    Momentum breaks the cancellation, as gradients of earlier steps meet the weights of this one. Then eta becomes
    eta/(1-momentum), to leading order in eta lambda, for gradients that are independent from step to step.

    Args:
        imbalance: D, `[..., M, M]`, not divided by anything.
        gradient_next: S, `[..., P, M]`, of the loss without the penalty.
        gradient: T, `[..., M, D]`.
        learning_rate: eta > 0, a number or `[...]`.
        weight_decay: lambda >= 0, as torch's SGD applies it, a number or `[...]`. The batch axes of all broadcast.

    Returns:
        `[..., M, M]` float64.

    Raises:
        ValueError: shapes that do not fit each other, or an argument out of range.
    """
    before = in_float64("imbalance", imbalance)
    following, gradient = in_float64("gradient_next", gradient_next), in_float64("gradient", gradient)
    if before.ndim < 2 or before.shape[-2] != before.shape[-1]:
        raise ValueError(f"imbalance has shape {tuple(before.shape)}; its last two axes must be of equal length.")
    width = before.shape[-1]
    if following.ndim < 2 or following.shape[-1] != width:
        raise ValueError(f"gradient_next has shape {tuple(following.shape)}; its last two axes must be (P, {width}).")
    if gradient.ndim < 2 or gradient.shape[-2] != width:
        raise ValueError(f"gradient has shape {tuple(gradient.shape)}; its last two axes must be ({width}, D).")
    rate = in_float64("learning_rate", learning_rate, above=0)[..., None, None]
    decay = in_float64("weight_decay", weight_decay, at_least=0)[..., None, None]
    return (1 - rate * decay).square() * before + rate.square() * (following.mT @ following - gradient @ gradient.mT)


def imbalance_decay(
    steps: int | Tensor,
    imbalance0: float | Tensor,
    gradient_imbalance: float | Tensor,
    learning_rate: float | Tensor,
    weight_decay: float | Tensor,
) -> ImbalanceDecay:
    """`imbalance_step` t times over, with a constant q for S^T S - T T^T (after Jacot et al., 2025) [derived].

        D_t = (1 - eta lambda)^(2t) D_0 + (1 - (1 - eta lambda)^(2t)) eta q / (lambda (2 - eta lambda)).

    With ||D_0||_op for D_0, and for q the largest ||S^T S - T T^T||_op of the steps, it bounds ||D_t||_op. For a linear
    function of D, such as the trace ||V||_F^2 - ||W||_F^2, with q the same function of S^T S - T T^T, it is an equality
    if q is constant; the mean of q over the steps gives the mean of D in the long run. The plateau is
    eta q / (2 lambda) for small eta lambda. Only gradients that do not settle sustain it: at a critical point of loss
    and penalty T = -lambda W, so that q = lambda^2 D, and D goes to 0. After a drop of the learning rate start again
    from the D reached.

    Args:
        steps: t, at least 0.
        imbalance0: D_0, a number: a norm, an entry, a trace.
        gradient_imbalance: q, the same of S^T S - T T^T.
        learning_rate: eta > 0; with momentum eta/(1-momentum), approximately.
        weight_decay: lambda > 0, as torch's SGD applies it; eta lambda less than 1.

    Returns:
        The fields of `ImbalanceDecay`, float64, of the shape the arguments broadcast to.

    Raises:
        ValueError: an argument out of range.
    """
    count = in_float64("steps", steps, at_least=0)
    start, driving = in_float64("imbalance0", imbalance0), in_float64("gradient_imbalance", gradient_imbalance)
    rate = in_float64("learning_rate", learning_rate, above=0)
    decay = in_float64("weight_decay", weight_decay, above=0)
    shrink = in_float64("learning_rate * weight_decay", rate * decay, below=1)
    count, start, driving, rate, decay, shrink = torch.broadcast_tensors(count, start, driving, rate, decay, shrink)
    exponent = 2 * count * torch.log1p(-shrink)
    plateau = rate * driving / (decay * (2 - shrink))
    kept = exponent.exp()
    return ImbalanceDecay(kept, plateau, kept * start - torch.expm1(exponent) * plateau)

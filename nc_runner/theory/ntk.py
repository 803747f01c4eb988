"""The neural tangent kernel of a network with a linear head, and the conditioning of that head."""

import torch
from torch import Tensor

from ._inputs import in_float64


def linear_head_ntk_bound(
    interpolation_error: float | Tensor,
    norm_bound: float | Tensor,
    linear_layers: int | Tensor,
    samples: int | Tensor,
    num_classes: int | Tensor,
) -> Tensor:
    """||Theta||_op >= L2 (s_K(Y) - e1)^2 / r^2 for a head of L2 linear layers; K^2 times that of Jacot et al. (2025).

    Theta is the Gram matrix of the gradients of all K N outputs, of the network or of its head alone. The head's part
    is sum_l Z_{l-1}^T Z_{l-1} (x) A_l A_l^T, A_l the product of the layers after l. On the K right and K left singular
    directions of Z_L = A_l W_l Z_{l-1}, with P the projection on the right ones, its trace is at least
    sum_l ||A_l||_F^2 ||Z_{l-1} P||_F^2 >= L2 (||Z_L||_* / r)^2. The sum of the singular values ||Z_L||_* is at least
    K (s_K(Y) - e1), and on K^2 dimensions the operator norm is at least the trace over K^2 [derived]. The paper divides
    by K^2 once more. Equality for e1 = 0, orthogonal W_l / r and head inputs with equal singular values.

    Args:
        interpolation_error: e1 >= ||Z_L - Y||_F, over all N samples, Y one-hot.
        norm_bound: r >= ||W_l||_op of each layer of the head, greater than 0.
        linear_layers: L2, at least 1.
        samples: N, of K balanced classes, at least 1: s_K(Y) = sqrt(N/K).
        num_classes: K, at least 1.

    Returns:
        The bound, of the shape the arguments broadcast to; 0, which says nothing, for e1 >= s_K(Y).

    Raises:
        ValueError: an argument out of range.
    """
    error = in_float64("interpolation_error", interpolation_error, at_least=0)
    bound = in_float64("norm_bound", norm_bound, above=0)
    layers = in_float64("linear_layers", linear_layers, at_least=1)
    count = in_float64("samples", samples, at_least=1)
    scale = (count / in_float64("num_classes", num_classes, at_least=1)).sqrt()
    return layers * ((scale - error).clamp(min=0) / bound).square()


def linear_head_condition_bound(
    interpolation_error: float | Tensor,
    kernel_norm: float | Tensor,
    first_norm: float | Tensor,
    samples: int | Tensor,
    num_classes: int | Tensor,
) -> Tensor:
    """c3 <= ||W_1||_op sqrt(||Theta||_op) / (s_K(Y) - e1), the condition number of a linear head W = W_L2 ... W_1.

    After Jacot et al. (2025), who bound the conditioning of solutions that are stable under a large step size
    [derived]. The part of W_1 in Theta has the norm (||A||_op ||Z||_op)^2, A = W_L2 ... W_2 and Z the head's input.
    With u the K-th left singular vector of W, ||u^T W Z|| is at least s_K(Z_L) >= s_K(Y) - e1 and at most
    s_K(W) ||Z||_op, and s_1(W) <= ||A||_op ||W_1||_op. No layer has to be balanced. Where gradient descent with step
    size eta is stable, ||Theta||_op is about 2 N / eta or less, for a loss (1/2N) ||Z_L - Y||_F^2 and small residuals.
    Equality for e1 = 0 and one linear layer.

    Args:
        interpolation_error: e1 >= ||Z_L - Y||_F, over all N samples, Y one-hot.
        kernel_norm: ||Theta||_op or more, of the network or of its head alone, at least 0.
        first_norm: ||W_1||_op or more, of the head's first layer, at least 0.
        samples: N, of K balanced classes, at least 1: s_K(Y) = sqrt(N/K).
        num_classes: K, at least 1.

    Returns:
        The bound, of the shape the arguments broadcast to; infinite for e1 >= s_K(Y), where nothing is promised.

    Raises:
        ValueError: an argument out of range.
    """
    error = in_float64("interpolation_error", interpolation_error, at_least=0)
    kernel = in_float64("kernel_norm", kernel_norm, at_least=0)
    first = in_float64("first_norm", first_norm, at_least=0)
    count = in_float64("samples", samples, at_least=1)
    left = (count / in_float64("num_classes", num_classes, at_least=1)).sqrt() - error
    bound = first * kernel.sqrt() / left
    return torch.where((kernel + first).isnan(), torch.nan, bound.masked_fill(left <= 0, torch.inf))

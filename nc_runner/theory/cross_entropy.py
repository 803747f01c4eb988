"""Least cross-entropy under bounds on the norms of features and classifier."""

import torch
from torch import Tensor

from ._inputs import in_float64


def min_cross_entropy(alpha: float | Tensor, beta: float | Tensor, num_classes: int | Tensor) -> Tensor:
    """m(alpha, beta) = log(1 + (C-1) exp(-(C/(C-1)) alpha beta)) (Pan, thesis, 2023) [paper].

    The least mean cross-entropy of a bias-free linear classifier on balanced classes; a simplex ETF attains it. With
    a bias, append 1 to every feature and the bias to every row of the weight.

    Args:
        alpha: bound on the root mean square feature norm, sqrt(mean ||h||^2), at least 0. (The formula displayed in
            the thesis lacks the root.)
        beta: bound on ||W||_F / sqrt(C), at least 0.
        num_classes: C, at least 2.

    Returns:
        Loss in nats, of the shape the arguments broadcast to; log C where alpha beta = 0.

    Raises:
        ValueError: an argument out of range.
    """
    classes = in_float64("num_classes", num_classes, at_least=2)
    product = in_float64("alpha", alpha, at_least=0) * in_float64("beta", beta, at_least=0)
    # The exponent is never positive, and log1p keeps a loss of 1e-30 from rounding to 0.
    return torch.log1p((classes - 1) * torch.exp(-classes / (classes - 1) * product))

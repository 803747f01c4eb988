"""Effective depth: the first layer at which the nearest class centre already tells the classes apart."""

import torch
from torch import Tensor


def effective_depth(ncc_accuracy_by_layer: Tensor, eps: float) -> Tensor:
    """Least layer, counted from 1, whose nearest-class-centre error 1 - accuracy is at most eps, else L.

    Pan (thesis, 2023), Def. 3.2.2 [paper].

    Args:
        ncc_accuracy_by_layer: `[..., L]`, floating, from the layer nearest the input to the last. A NaN never
            qualifies.
        eps: allowed error, in [0, 1].

    Returns:
        `[...]` int64 in 1..L.

    Raises:
        ValueError: no layer, a dtype that is not floating, or eps outside [0, 1].
    """
    accuracy = ncc_accuracy_by_layer
    if not accuracy.is_floating_point():
        raise ValueError(f"ncc_accuracy_by_layer has dtype {accuracy.dtype}; it must be a floating-point tensor.")
    if accuracy.ndim == 0 or accuracy.shape[-1] == 0:
        raise ValueError(f"ncc_accuracy_by_layer has shape {tuple(accuracy.shape)}; it needs at least one layer.")
    if not 0 <= eps <= 1:
        raise ValueError(f"eps is {eps}; it must be between 0 and 1.")
    # In floating point 1 - 0.99 exceeds 0.01 by an ulp; an error that equals eps in decimals must qualify.
    ulps = 4 * torch.finfo(accuracy.dtype).eps
    qualifies = 1 - accuracy.to(torch.float64) <= eps + ulps
    layers = torch.arange(1, accuracy.shape[-1] + 1, device=accuracy.device)
    return torch.where(qualifies, layers, accuracy.shape[-1]).amin(dim=-1)

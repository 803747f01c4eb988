"""How much of the pre-activations a ReLU would cut off."""

from torch import Tensor

from ._inputs import vectors_in_float64
from ._singular import spectral_norm


def negativity(preactivations: Tensor) -> Tensor:
    """||Z - relu(Z)||_op / ||Z||_op, Z the outputs of a layer before its activation (Jacot et al., 2025).

    0 where a ReLU is the identity on these samples. It can exceed 1, but is at most sqrt(rank Z) [derived]. The
    negative part has at most the Frobenius norm of Z, but it can have the larger operator norm, as signs that cancel in
    Z do not cancel in its negative part.

    Args:
        preactivations: Z, `[..., N, D]`, any floating dtype; computed in float64.

    Returns:
        `[...]` float64, at least 0; NaN for a batch entry that is all zero or not all finite.

    Raises:
        ValueError: wrong dtype or shape.
    """
    preactivations = vectors_in_float64("preactivations", preactivations)
    return spectral_norm(preactivations.clamp(max=0)) / spectral_norm(preactivations)

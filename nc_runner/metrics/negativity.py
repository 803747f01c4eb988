"""How much of the pre-activations a ReLU would cut off."""

from torch import Tensor

from ._inputs import vectors_in_float64
from ._singular import spectral_norm


def negativity(preactivations: Tensor) -> Tensor:
    """||Z - relu(Z)||_op / ||Z||_op, Z the outputs of a layer before its activation (Jacot et al., 2025).

    0 where a ReLU is the identity on these samples. It can exceed 1, by at most the root of the rank of Z [derived]:
    the negative part has no larger a Frobenius norm than Z, but the operator norm of Z may be much the smaller, from
    signs that cancel in Z and not in its negative part.

    Args:
        preactivations: Z, `[..., N, D]`, any floating dtype; computed in float64.

    Returns:
        `[...]` float64, at least 0; NaN for a batch entry that is all zero or not all finite.

    Raises:
        ValueError: wrong dtype or shape.
    """
    preactivations = vectors_in_float64("preactivations", preactivations)
    return spectral_norm(preactivations.clamp(max=0)) / spectral_norm(preactivations)

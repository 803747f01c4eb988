"""Neural regression collapse: features and weights of a network whose targets are numbers, not classes.

The definitions follow Andriopoulos, Dong, Guo, Zhao & Ross (2024), section 3. Their text was not at hand word by word:
where published code of theirs and of others leaves a convention open, it is a keyword, or marked [choice].
"""

import torch
from torch import Tensor

from ._inputs import check_vectors, vectors_in_float64


def regression_feature_collapse(features: Tensor, targets: Tensor, *, centred: bool) -> Tensor:
    """Mean over samples of ||u_i - P u_i||^2, P on the first n principal directions of the features (NRC1).

    u_i = h_i/||h_i|| and n is the number of dimensions of the targets.

    Args:
        features: `[..., N, D]`, any floating dtype; computed in float64.
        targets: `[N, n]`, of which n alone is used.
        centred: subtract the mean feature first, from h_i and for the principal directions. The source's code has
            centred principal directions and h_i as they are; here both are one or the other [choice].

    Returns:
        `[...]` float64 in [0, 1], 0 at collapse, and for n >= D; NaN for a zero feature or a non-finite batch entry.

    Raises:
        ValueError: wrong dtype or shape.
    """
    features = _centred(vectors_in_float64("features", features), centred)
    outputs = _outputs(features, targets)
    finite = features.isfinite().all(dim=-1).all(dim=-1)[..., None, None]
    directions = torch.linalg.svd(features.where(finite, 0), full_matrices=False).Vh[..., :outputs, :]
    return _off(features, directions)


def regression_self_duality(features: Tensor, targets: Tensor, weight: Tensor, *, centred: bool) -> Tensor:
    """Mean over samples of ||u_i - P u_i||^2, P on the span of the rows of the last weight (NRC2).

    Args:
        features: `[..., N, D]`, u_i = h_i/||h_i||; any floating dtype, computed in float64.
        targets: `[N, n]`, of which n alone is used.
        weight: `[..., n, D]`; its batch axes broadcast with those of features.
        centred: subtract the mean feature from h_i first.

    Returns:
        `[...]` float64 in [0, 1], 0 at collapse; NaN for a zero feature, or where features or weight are not all
        finite.

    Raises:
        ValueError: wrong dtype or shape, or a weight that does not fit.
    """
    features = _centred(vectors_in_float64("features", features), centred)
    weight = _weight(weight, _outputs(features, targets), features.shape[-1])
    finite = weight.isfinite().all(dim=-1).all(dim=-1)[..., None, None]
    _, singular, right = torch.linalg.svd(weight.where(finite, 0), full_matrices=False)
    alive = singular > 1e-12 * singular[..., :1]  # a row that others span adds no direction
    return torch.where(finite[..., 0, 0], _off(features, right * alive[..., None]), torch.nan)


def regression_weight_structure(targets: Tensor, weight: Tensor) -> Tensor:
    """min over c of || W W^T/||W W^T||_F - (S - c I)/||S - c I||_F ||_F^2 (NRC3).

    S is the square root of the targets' covariance.
    c = gamma^(1/2) from 0 to the least eigenvalue of S, in closed form: the squared distance is 2 minus twice a
    quotient that has one stationary point in c [derived]. The covariance divides by N.

    Args:
        targets: `[N, n]`, floating; computed in float64.
        weight: W, `[..., n, D]`, any floating dtype.

    Returns:
        `[...]` float64 in [0, 4], 0 at collapse; NaN for a weight of zeros, targets without variation, or where either
        is not all finite. For n = 1 it is 0 wherever it is defined.

    Raises:
        ValueError: wrong dtype or shape, or a weight that does not fit.
    """
    targets = vectors_in_float64("targets", targets)
    if targets.ndim != 2:
        raise ValueError(f"targets has shape {tuple(targets.shape)}; it must be [N, n].")
    weight = _weight(weight, targets.shape[1], None)
    if bool(targets[0, 0].isnan()):
        return weight.new_full(weight.shape[:-2], torch.nan)
    deviations = targets - targets.mean(dim=0)
    _, singular, right = torch.linalg.svd(deviations / len(targets) ** 0.5, full_matrices=False)
    root = right.mT * singular @ right
    least = singular[-1] if len(singular) == targets.shape[1] else singular.new_zeros(())
    gram = weight @ weight.mT
    gram = gram / torch.linalg.matrix_norm(gram)[..., None, None]
    outputs = targets.shape[1]
    along, trace = (gram * root).sum(dim=(-2, -1)), gram.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    square, sum_ = root.square().sum(), root.diagonal().sum()
    stationary = (trace * square - along * sum_) / (trace * sum_ - along * outputs)
    eye = torch.eye(outputs, dtype=torch.float64, device=weight.device)
    found = []
    # At c = S, of equal eigenvalues, nothing is left: the end is approached, not taken.
    for c in (torch.zeros_like(trace), stationary.clamp(min=0).minimum(least), least.expand(trace.shape) * (1 - 1e-9)):
        shifted = root - c[..., None, None] * eye
        shifted = shifted / torch.linalg.matrix_norm(shifted)[..., None, None]
        found.append((gram - shifted).square().sum(dim=(-2, -1)))
    best = torch.stack(found).nan_to_num(nan=torch.inf).amin(dim=0)
    return best.where((best < torch.inf) & (singular[0] > 0), torch.nan)


def _centred(features: Tensor, centred: bool) -> Tensor:
    return features - features.mean(dim=-2, keepdim=True) if centred else features


def _off(features: Tensor, directions: Tensor) -> Tensor:
    """Mean over rows of the squared length off orthonormal directions `[..., n, D]`, relative to the row's own."""
    units = features / torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    off: Tensor = (units - units @ directions.mT @ directions).square().sum(dim=-1)
    return off.mean(dim=-1)


def _outputs(features: Tensor, targets: Tensor) -> int:
    """n of targets `[N, n]` that fit the features."""
    targets = check_vectors("targets", targets)
    if targets.ndim != 2 or len(targets) != features.shape[-2]:
        raise ValueError(
            f"targets has shape {tuple(targets.shape)}; it must be [{features.shape[-2]}, n], one row for each feature."
        )
    return targets.shape[1]


def _weight(weight: Tensor, outputs: int, width: int | None) -> Tensor:
    """In float64; ValueError where it has not one row for each output, of the features' length."""
    weight = vectors_in_float64("weight", weight)
    if weight.shape[-2] != outputs or (width is not None and weight.shape[-1] != width):
        allowed = f"({outputs}, {'D' if width is None else width})"
        raise ValueError(f"weight has shape {tuple(weight.shape)}; its last two axes must be {allowed}.")
    return weight

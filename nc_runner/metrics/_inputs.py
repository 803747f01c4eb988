"""What every metric asks of its arguments, and what it means for a feature to be zero."""

import torch
from torch import Tensor

# A difference of features this small, relative to the largest feature, is the rounding of a float64 sum over samples.
ROUNDING = 1e-12

# Entries of the classes' one-hot matrix: 8 GiB of it.
MOST_MEMBERSHIPS = 2**30


def is_tensor(name: str, value: object) -> None:
    """Refuse what is no tensor, in words that say how it becomes one.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, Tensor):
        kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
        raise ValueError(f"{name} is a {kind}; it must be a torch.Tensor, as torch.as_tensor({name}) makes one.")


def vectors_in_float64(name: str, vectors: Tensor) -> Tensor:
    """`[..., M, D]` in float64, a batch entry with a non-finite number replaced by NaN as a whole.

    Otherwise one bad number would make some metrics NaN and leave others finite.
    """
    is_tensor(name, vectors)
    if not vectors.is_floating_point():
        raise ValueError(f"{name} has dtype {vectors.dtype}; it must be a real floating-point tensor.")
    if vectors.ndim < 2 or 0 in vectors.shape[-2:]:
        raise ValueError(f"{name} has shape {tuple(vectors.shape)}; its last two axes must exist and be non-empty.")
    vectors = vectors.detach().to(torch.float64)
    finite = vectors.isfinite().all(dim=-1).all(dim=-1)
    return vectors if bool(finite.all()) else vectors.masked_fill(~finite[..., None, None], torch.nan)


def samples_in_float64(features: Tensor, labels: Tensor, name: str = "features", *, every_class: bool = True) -> Tensor:
    """Features in float64; ValueError where features and labels do not describe the same N samples.

    Without ``every_class`` a class below the largest label may have no sample.
    """
    features = vectors_in_float64(name, features)
    is_tensor("labels", labels)
    if labels.dtype != torch.int64:
        raise ValueError(f"labels has dtype {labels.dtype}; it must be torch.int64.")
    if labels.ndim != 1 or len(labels) != features.shape[-2]:
        allowed = f"({features.shape[-2]},), one label for each sample of {name}"
        raise ValueError(f"labels has shape {tuple(labels.shape)}; it must have shape {allowed}.")
    if int(labels.min()) < 0:
        raise ValueError(f"labels contains {int(labels.min())}; its values must be 0 or more.")
    if (classes := int(labels.max()) + 1) * len(labels) > MOST_MEMBERSHIPS:
        raise ValueError(
            f"labels contains {classes - 1}, which makes {classes} classes of {len(labels)} samples; its values must "
            "be 0..K-1, so renumber them: labels.unique(return_inverse=True)[1]."
        )
    missing = (labels.bincount() == 0).nonzero().flatten()
    if every_class and len(missing):
        raise ValueError(
            f"labels goes up to {classes - 1} and never is {int(missing[0])}; its values must be 0..K-1, each there, "
            "so renumber them: labels.unique(return_inverse=True)[1]."
        )
    return features


def classified_in_float64(
    weight: Tensor, features: Tensor, labels: Tensor, *, every_class: bool = True
) -> tuple[Tensor, Tensor]:
    """Weight and features in float64; ValueError where a row is not as long as a feature, or a label has no row."""
    features = samples_in_float64(features, labels, every_class=every_class)
    weight = vectors_in_float64("weight", weight)
    if weight.shape[-1] != features.shape[-1]:
        raise ValueError(
            f"weight has rows of length {weight.shape[-1]}; their length must be that of a feature, "
            f"{features.shape[-1]}."
        )
    if int(labels.max()) >= weight.shape[-2]:
        raise ValueError(
            f"labels contains {int(labels.max())}; weight has {weight.shape[-2]} rows, so it must be less."
        )
    return weight, features


def can_vary_within(labels: Tensor) -> bool:
    """Whether some class has two samples.

    Where none has, every sample is the mean of its class by construction: that is no collapse, and a measure of
    variation within classes is undefined.
    """
    return bool((labels.bincount() > 1).any())


def largest_norm(vectors: Tensor) -> Tensor:
    """Largest Euclidean norm over the vectors of each batch entry, `[..., M, D] -> [...]`."""
    norms: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
    return norms.amax(dim=-1)


def all_equal(features: Tensor) -> Tensor:
    """Which batch entries have one and the same feature for every sample, up to rounding: `[..., N, D] -> [...]`."""
    low, high = features.aminmax(dim=-2)
    return (high - low).amax(dim=-1) <= ROUNDING * torch.maximum(high.abs(), low.abs()).amax(dim=-1)

"""What every metric asks of its arguments, and what it means for a feature to be zero."""

import torch
from torch import Tensor

# A difference of features this small, relative to the largest feature, is the rounding of a float64 sum over samples.
ROUNDING = 1e-12

# Numbers in the class means: 8 GiB of them.
MOST_NUMBERS = 2**30

INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64)


def is_tensor(name: str, value: object) -> None:
    """Refuse what is no tensor, in words that say how it becomes one.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, Tensor):
        kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
        raise ValueError(f"{name} is a {kind}; it must be a torch.Tensor, as torch.as_tensor({name}) makes one.")


def check_vectors(name: str, vectors: Tensor) -> Tensor:
    """`[..., M, D]` as it is, without its gradient; ValueError where it is no such thing."""
    is_tensor(name, vectors)
    if not vectors.is_floating_point():
        real = "" if vectors.is_complex() else f", as {name}.double() makes it"
        raise ValueError(f"{name} has dtype {vectors.dtype}; it must be a real floating-point tensor{real}.")
    if vectors.ndim < 2 or 0 in vectors.shape[-2:]:
        raise ValueError(f"{name} has shape {tuple(vectors.shape)}; its last two axes must exist and be non-empty.")
    return vectors.detach()


def vectors_in_float64(name: str, vectors: Tensor) -> Tensor:
    """`[..., M, D]` in float64, a batch entry with a non-finite number replaced by NaN as a whole.

    Otherwise one bad number would make some metrics NaN and leave others finite.
    """
    vectors = check_vectors(name, vectors).to(torch.float64)
    finite = vectors.isfinite().all(dim=-1).all(dim=-1)
    return vectors if bool(finite.all()) else vectors.masked_fill(~finite[..., None, None], torch.nan)


def check_samples(
    features: Tensor, labels: Tensor, name: str = "features", *, every_class: bool = True
) -> tuple[Tensor, Tensor]:
    """Features as they are, labels in int64; ValueError where they do not describe the same N samples.

    Without ``every_class`` a class below the largest label may have no sample.
    """
    features = check_vectors(name, features)
    labels = check_integers(labels)
    if labels.ndim != 1 or len(labels) != features.shape[-2]:
        flat = f": {name}.flatten(0, -2) and labels.flatten()" if labels.shape == features.shape[:-1] else ""
        allowed = f"({features.shape[-2]},), one label for each sample of {name}{flat}"
        raise ValueError(f"labels has shape {tuple(labels.shape)}; it must have shape {allowed}.")
    if int(labels.min()) < 0:
        raise ValueError(
            f"labels contains {int(labels.min())}; its values must be 0 or more. Leave out what is no sample of a "
            f"class: {name}[..., labels >= 0, :] and labels[labels >= 0]."
        )
    if (classes := int(labels.max()) + 1) * features.shape[-1] > MOST_NUMBERS:
        raise ValueError(
            f"labels contains {classes - 1}, which makes {classes} means of {features.shape[-1]} numbers; its values "
            "must be 0..K-1, so renumber them: labels.unique(return_inverse=True)[1]."
        )
    missing = (labels.bincount() == 0).nonzero().flatten()
    if every_class and len(missing):
        raise ValueError(
            f"labels goes up to {classes - 1} and never is {int(missing[0])}; its values must be 0..K-1, each there, "
            "so renumber them: labels.unique(return_inverse=True)[1]."
        )
    return features, labels


def check_integers(labels: Tensor) -> Tensor:
    """Labels in int64; ValueError where they are of no integer dtype, or one-hot."""
    is_tensor("labels", labels)
    numbers = labels.detach().to(torch.int64) if labels.dtype in INTEGERS else labels.detach()
    if numbers.ndim > 1 and numbers.shape[-1] > 1 and numbers.numel():
        ones, zeros = numbers == 1, numbers == 0
        if bool((ones | zeros).all()) and bool((ones.sum(dim=-1) == 1).all()):
            raise ValueError(
                f"labels has shape {tuple(labels.shape)} and a single 1 a row; it must be one number a sample, as "
                "labels.argmax(dim=-1) makes it."
            )
    if labels.dtype not in INTEGERS:
        asked = "are features, labels, weight in this order?" if labels.is_floating_point() else "labels.long() is."
        raise ValueError(f"labels has dtype {labels.dtype}; it must be of an integer dtype: {asked}")
    return numbers


def check_weight(
    weight: Tensor, features: Tensor, labels: Tensor, *, every_class: bool = True, name: str = "weight"
) -> Tensor:
    """Weight in float64; ValueError where a row is not as long as a feature, or a label has no row, or a row no label.

    Without ``every_class`` a row may be of a class without a sample.
    """
    weight = vectors_in_float64(name, weight)
    if weight.shape[-1] != features.shape[-1]:
        raise ValueError(
            f"{name} has rows of length {weight.shape[-1]}; their length must be that of a feature, "
            f"{features.shape[-1]}."
        )
    classes = int(labels.max()) + 1
    if classes > weight.shape[-2]:
        raise ValueError(f"labels contains {classes - 1}; {name} has {weight.shape[-2]} rows, so it must be less.")
    if every_class and classes < weight.shape[-2]:
        raise ValueError(
            f"labels goes up to {classes - 1} and never is {classes}, of which weight has a row; each of its "
            f"{weight.shape[-2]} classes must have a sample, so leave out the others' rows: weight[:{classes}]."
        )
    return weight


def largest_norm(vectors: Tensor) -> Tensor:
    """Largest Euclidean norm over the vectors of each batch entry, `[..., M, D] -> [...]`."""
    norms: Tensor = torch.linalg.vector_norm(vectors, dim=-1)
    return norms.amax(dim=-1)

"""What a person hands over as features and labels: taken as it is meant, or refused in a sentence."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nc_runner.metrics._inputs import check_integers, check_vectors


def as_samples(features: Tensor | ArrayLike, labels: Tensor | ArrayLike) -> tuple[Tensor, Tensor]:
    """Features `[N, D]` without their gradient, labels `[N]` in int64, of tensors, arrays or lists.

    Features `[B, T, D]` with labels `[B, T]` are B*T samples.

    Raises:
        ValueError: they do not describe the same samples, or are of the wrong kind.
    """
    features, labels = as_tensor("features", features), as_tensor("labels", labels)
    if features.ndim == 1:
        raise ValueError(f"features has shape {tuple(features.shape)}; it must be [N, D], or [B, T, D].")
    if not features.is_floating_point():
        asked = "are features and labels in this order?" if labels.is_floating_point() else "features.float() is."
        raise ValueError(f"features has dtype {features.dtype}; it must be of a floating-point dtype: {asked}")
    features = check_vectors("features", features)
    if labels.shape != features.shape[:-1]:
        check_integers(labels)  # which says what to do with one-hot labels
        raise ValueError(
            f"labels has shape {tuple(labels.shape)}; it must have shape {tuple(features.shape[:-1])}, one label for "
            "each feature."
        )
    return features.reshape(-1, features.shape[-1]), check_integers(labels.flatten()).to(features.device)


def as_tensor(name: str, value: Tensor | ArrayLike) -> Tensor:
    """A tensor of a tensor, an array or a list, on the same memory where there is one.

    Raises:
        ValueError: it is nothing of the kind.
    """
    if isinstance(value, Tensor):
        return value.detach()
    try:
        array = np.asarray(value)
        # A read-only array, as a mapped file is, would make torch warn; it is not written to.
        return torch.from_numpy(array if array.flags.writeable else np.asarray(_Holder(array)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is a {type(value).__name__} that no tensor can be made of: {error}.") from None


class _Holder:
    """An array's memory without its mark of being read-only, which torch does not know."""

    def __init__(self, array: np.ndarray) -> None:
        pointer, _ = array.__array_interface__["data"]
        self.array, self.__array_interface__ = array, {**array.__array_interface__, "data": (pointer, False)}


def check_finite(features: Tensor, kept: Tensor | None) -> None:
    """ValueError where features `[N, D]` of the kept samples `[N]` are not finite: how many, and the first."""
    # A sum costs a read and no memory; only where it is not finite, each row is looked at.
    if features.dtype in (torch.float32, torch.float64) and bool(features.sum().isfinite()):
        return
    rows = []
    for start in range(0, len(features), 4096):
        good = features[start : start + 4096].isfinite().all(dim=1)
        rows.append((~good if kept is None else ~good & kept[start : start + 4096]).nonzero().flatten() + start)
    bad = torch.cat(rows)
    if len(bad):
        raise ValueError(
            f"features has {len(bad)} of {len(features)} samples with NaN or inf, the first of them sample "
            f"{int(bad[0])} (counted from 0); nothing of these samples was taken in."
        )

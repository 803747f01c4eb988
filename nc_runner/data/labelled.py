"""A training set not yet decoded: its labels, and its images one by one, each with where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Encoded:
    """One image: the file or the row it comes from, and its content: a file's bytes, or an array [H, W]."""

    place: str
    content: Any


@dataclass(frozen=True)
class Labelled:
    """A training set.

    Attributes:
        labels: [all], of numbers or of names.
        images: from rows int64 [N] to their images.
        passed_over: files that are there and are no part of it.
    """

    labels: Sequence[Any] | np.ndarray
    images: Callable[[np.ndarray], Iterable[Encoded]]
    passed_over: list[str] = field(default_factory=list)

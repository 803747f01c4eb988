"""A field of the schema: its default, its meaning, its bounds."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def key(default: Any, meaning: str, **bounds: Any) -> Any:
    """A schema field: its default, its one-line meaning and its bounds.

    ``low`` and ``high`` are the least and largest value allowed; ``above`` and ``below`` are not allowed themselves.
    """
    metadata = {"meaning": meaning, **bounds}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: default.copy(), metadata=metadata)
    return field(default=default, metadata=metadata)

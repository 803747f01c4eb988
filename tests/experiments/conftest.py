"""Composes the paper's config, against which sizes are judged, once and not once a claim."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pytest

from nc_runner.config import compose

ORIGINAL = compose.composed


@lru_cache
def composed_once(*words: str) -> Any:
    return ORIGINAL(list(words))


@pytest.fixture(autouse=True)
def _composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def composed(words: Sequence[str]) -> Any:
        return composed_once(*words)

    monkeypatch.setattr(compose, "composed", composed)

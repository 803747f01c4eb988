"""Tests of data each have a cache of their own, so that none finds what another one kept."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that does not exist yet."""
    folder = tmp_path_factory.mktemp("cache") / "nc-run"
    monkeypatch.setenv("NC_CACHE", str(folder))
    return folder

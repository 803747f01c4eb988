"""Twelve images in folders of three classes, and how many of them were decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from data.image_cache.made import png

from nc_runner.data import pixels as pixels_module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k, name in enumerate("abc"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for i in range(4):
            (tmp_path / "own" / name / f"{i}.png").write_bytes(png(50 + 40 * k + i))
    return tmp_path / "own"


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each decoding was of."""
    decoded: list[int] = []
    decode_all = pixels_module.decode_all

    def counted(contents: Any, images: int, *how: Any) -> Any:
        decoded.append(images)
        return decode_all(contents, images, *how)

    monkeypatch.setattr(pixels_module, "decode_all", counted)
    return decoded

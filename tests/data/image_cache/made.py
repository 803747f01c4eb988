"""Small images, and whether two sets of them are the same."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from nc_runner.config.choices import DataName
from nc_runner.config.schema import DataConfig
from nc_runner.data import image_cache
from nc_runner.data.images import Images


def own(path: Path, **keys: Any) -> DataConfig:
    return DataConfig(name=DataName.images, path=str(path), **{"classes": 3, "per_class": 4} | keys)


def png(value: int, kind: str = "png") -> bytes:
    """5 x 4 pixels, the first of them black."""
    content, image = io.BytesIO(), Image.new("L", (5, 4), value)
    image.putpixel((0, 0), 0)
    image.save(content, kind)
    return content.getvalue()


def same(one: Images, other: Images) -> bool:
    alike = torch.equal(one.x, other.x) and torch.equal(one.y, other.y) and one.left_out == other.left_out
    return alike and (one.x.dtype, one.y.dtype) == (other.x.dtype, other.y.dtype)


def kept() -> Path:
    """The one file that is kept."""
    (path,) = image_cache.files()
    return path

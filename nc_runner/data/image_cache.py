"""Decoded images that this machine keeps: a file a set, named by the checksum of what was decoded and how.

A file is mapped into memory, copy on write: every process that reads it shares its pages, and none can change it.
It holds a checksum of its content. One that is damaged counts as none, and is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import re
import secrets
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import PIL
from PIL import features
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nc_runner.data.cache_folder import cache_folder
from nc_runner.errors import say

FORMAT = 1  # of the files; another one has other names
OURS = re.compile(r"[0-9a-f]{64}\.safetensors|\.[0-9a-f]{64}\.\w+\.tmp")


class Decoded(NamedTuple):
    """A set of images decoded.

    Attributes:
        pixels: uint8 [N, C, H, W]; empty where some were bad.
        bad: the places in the set of images that cannot be decoded, each with the reason.
    """

    pixels: Tensor
    bad: dict[int, str]


class Key:
    """The name of a set: the checksum of the images' bytes in their order, and of what else decides their pixels."""

    def __init__(self, size: int | None, channels: int | None) -> None:
        codecs = f"Pillow {PIL.__version__}, JPEG {features.version('jpg')}"
        self._digest = hashlib.sha256(f"format {FORMAT}, {codecs}, size {size}, channels {channels}\n".encode())

    def add(self, content: Any) -> None:
        """Take in the next image."""
        known = content if isinstance(content, bytes) else repr(content).encode()
        self._digest.update(len(known).to_bytes(8))
        self._digest.update(known)

    def __str__(self) -> str:
        return self._digest.hexdigest()


def folder() -> Path:
    """Where the files are."""
    return cache_folder() / "images"


def read(key: Key) -> Decoded | None:
    """A set that is kept, mapped; None where there is none, or a damaged one."""
    try:
        with safe_open(_path(key), framework="pt") as file:
            record = json.loads(file.metadata()["record"])
            found = Decoded(file.get_tensor("pixels"), {int(place): reason for place, reason in record["bad"].items()})
        return found if record["sha256"] == _checksum(found) else None
    except Exception:  # whatever can be wrong with a file: its length, its header, its records, its type
        return None


def write(key: Key, decoded: Decoded) -> None:
    """Keep a set. Where that cannot be done it is said once, and nothing else is lost."""
    path = _path(key)
    temporary = path.with_name(f".{key}.{secrets.token_hex(8)}.tmp")
    record = json.dumps({"bad": decoded.bad, "sha256": _checksum(decoded)})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"pixels": decoded.pixels}, temporary, metadata={"record": record})
        temporary.replace(path)  # not fsynced: the checksum tells what a loss of power left
    except (OSError, SafetensorError) as error:
        if multiprocessing.parent_process() is None:  # of a run's processes the first says it
            _say_once(path.parent, getattr(error, "strerror", None) or str(error))
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def files() -> list[Path]:
    """The files that were written here, unfinished ones too, and no other."""
    try:
        return sorted(path for path in folder().iterdir() if OURS.fullmatch(path.name) and path.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _path(key: Key) -> Path:
    return folder() / f"{key}.safetensors"


def _checksum(decoded: Decoded) -> str:
    digest = hashlib.sha256(f"{json.dumps(decoded.bad)} {decoded.pixels.dtype} {list(decoded.pixels.shape)}\n".encode())
    digest.update(decoded.pixels.numpy().data)
    return digest.hexdigest()


@cache
def _say_once(path: Path, reason: str) -> None:
    say(
        f"{path} cannot be written ({reason}); images are decoded again in every process; NC_CACHE may name another "
        "folder."
    )

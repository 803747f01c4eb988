"""The frames of collapse on the simplex plane, as the tidy table holds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nc_runner.experiments.base import Results

WIDEST = 2.0  # circumradii [choice]: the few features farther out, early in training, would shrink all the rest
STRIP_FRAMES = 6


@dataclass(frozen=True)
class Frame:
    """One trial at one epoch: features [n, 2] of each class, class means and rows [K, 2], and the other metrics.

    Of four classes the third axis is left out, as seen from far along it.
    """

    epoch: int
    features: list[np.ndarray]
    means: np.ndarray
    rows: np.ndarray
    numbers: dict[str, float]


def read_frames(results: Results) -> dict[str, list[Frame]]:
    """The frames of each finished trial in the order of its epochs, without those whose plane is undefined."""
    finished = results.trials.loc[results.trials["status"] != "unfinished", "id"]
    table = results.metrics[results.metrics["trial"].isin(finished)]
    parts = table["metric"].str.extract(r"^(?P<axis>[xyz])_(?P<kind>feature|mean|classifier)_(?P<c>\d+)")
    drawn = parts["kind"].notna()
    if not drawn.any():
        return {}
    keys = ["trial", "epoch", "kind", "c", "item"]
    items = table.loc[drawn, "metric"].str[1:]  # the name without its axis
    coordinates = pd.concat([table[drawn], parts[drawn]], axis=1).assign(item=items)
    placed = coordinates.pivot(index=keys, columns="axis", values="value")[["x", "y"]]
    numbers = table[~drawn].pivot(index=["trial", "epoch"], columns="metric", values="value")
    frames: dict[str, list[Frame]] = {}
    for trial in finished:
        for epoch in sorted(set(table.loc[table["trial"] == trial, "epoch"])):
            points = placed.loc[(trial, epoch)].sort_index()
            if points.isna().to_numpy().any():
                continue
            features = [of_class.to_numpy() for _, of_class in points.loc["feature"].groupby(level="c")]
            means, rows = (points.loc[kind].to_numpy() for kind in ("mean", "classifier"))
            of_frame = {str(name): float(value) for name, value in numbers.loc[(trial, epoch)].items()}
            frames.setdefault(trial, []).append(Frame(int(epoch), features, means, rows, of_frame))
    return frames


def half_width(frames: Sequence[Frame]) -> float:
    """Half the side of every frame's square, in circumradii of the simplex."""
    return float(np.clip(1.05 * reach(frames).max(), 1.45, WIDEST))


def reach(frames: Sequence[Frame]) -> np.ndarray:
    """How far out each feature of each frame lies: the larger of its two coordinates."""
    return np.concatenate([np.abs(points).max(-1) for frame in frames for points in frame.features])


def chosen(frames: Sequence[Frame]) -> list[Frame]:
    """At most six frames, the first and the last among them, the others spread evenly in log epoch."""
    wanted = np.geomspace(frames[0].epoch, frames[-1].epoch, STRIP_FRAMES)
    nearest = {min(range(len(frames)), key=lambda i: abs(math.log(frames[i].epoch / epoch))) for epoch in wanted}
    return [frames[i] for i in sorted(nearest)]

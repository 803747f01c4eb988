"""Features of a file: which of its arrays are layers, labels, and the classifier; and what is measured of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from torch import Tensor

from nc_runner.errors import UserError, did_you_mean

from ._arrays import Array
from ._formats import arrays
from .accumulator import Accumulator
from .measured import Measured

NUMBERS = 2**21  # of a batch
WIDEST = 4096  # features of which the covariance is summed
MOST_CLASSES = 10_000  # of which all pairs are gone through


@dataclass(frozen=True)
class Keys:
    """Where in a file what is; each is a key of the file, or a .npy file of its own.

    Attributes:
        features: keys or patterns of them; without any they are found, see ``layers_of``.
        labels: one number a sample.
        weight: of the classifier; without it ``weight`` and ``weight/LAYER`` where they are there.
        bias: of the classifier; ``bias`` and ``bias/LAYER``.
    """

    features: Sequence[str] = ()
    labels: str | None = None
    weight: str | None = None
    bias: str | None = None


@dataclass(frozen=True)
class Layer:
    """One layer of a file."""

    name: str
    features: Array  # [N, ...]
    labels: Tensor  # [N]
    weight: Tensor | None  # [K, D]
    bias: Tensor | None  # [K]

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Features `[n, D]` with their labels `[n]`, from the first sample on."""
        width = max(1, torch.Size(self.features.shape[1:]).numel())
        start = 0
        for rows in self.features.batches(max(1, NUMBERS // width)):
            yield rows.flatten(1), self.labels[start : start + len(rows)]
            start += len(rows)


def layers_of(path: Path, keys: Keys) -> list[Layer]:
    """The layers of a file, in the natural order of their names.

    They are the arrays ``features``, ``features/NAME`` and ``features.NAME``; in a file without any of these all
    arrays of floating numbers with two axes or more and a row a sample. A layer's name is its key, less ``features/``.
    The classifier ``weight`` belongs to the layer ``features``, or to the last one; ``weight/NAME`` to NAME.

    Raises:
        UserError: a key that is not there, no features, no labels, or wrong shapes.
    """
    there = arrays(path)
    labels = whole(path, there, "labels", keys.labels)
    if labels is None:
        raise UserError(f"{path}: has no labels ({listed(there)}); --labels names their key, or a .npy file of them.")
    if labels.ndim != 1:
        raise UserError(f"{path}: labels has shape {tuple(labels.shape)}; it must have one number a sample.")
    named = chosen(path, there, keys, len(labels))
    classifiers = {key: whole(path, there, key, getattr(keys, key)) for key in ("weight", "bias")}
    owner = "features" if "features" in named else [*named][-1]
    found = []
    for name, array in named.items():
        if array.shape[0] != len(labels) or len(array.shape) < 2:
            raise UserError(
                f"{path}: {name} has shape {array.shape}; with {len(labels)} labels it must have shape "
                f"({len(labels)}, D)."
            )
        own = {key: whole(path, there, f"{key}/{name}", None) for key in classifiers}
        own |= classifiers if name == owner and own["weight"] is None else {}
        found.append(Layer(name, array, labels, own["weight"], own["bias"]))
    return found


def chosen(path: Path, there: dict[str, Array], keys: Keys, samples: int) -> dict[str, Array]:
    """The arrays that are layers, by the layers' names."""
    if keys.features:
        found = []
        for word in keys.features:
            matching = [key for key in there if fnmatchcase(key, word) or fnmatchcase(layer_name(key), word)]
            if not matching:
                raise UserError(f"{path}: has no key {word} for --features; {did_you_mean(word, there)}")
            found += matching
    else:
        found = [key for key in there if re.match(r"features($|[/.])", key)] or [
            key
            for key, array in there.items()
            if array.floating and len(array.shape) > 1 and array.shape[0] == samples
            and not re.match(r"(labels|weight|bias)($|/)", key)
        ]  # fmt: skip
    if not found:
        raise UserError(f"{path}: has no features ({listed(there)}); --features names their key.")
    return {layer_name(key): there[key] for key in sorted(dict.fromkeys(found), key=natural)}


def layer_name(key: str) -> str:
    """``features/conv1`` is conv1."""
    return re.sub(r"^features[/.](?=.)", "", key)


def whole(path: Path, there: dict[str, Array], key: str, named: str | None) -> Tensor | None:
    """An array that is held as a whole; None where it was not named, and is not there."""
    if named is not None and named not in there and named.endswith(".npy"):
        (array,) = arrays(Path(named)).values() or (None,)
    elif named is not None and named not in there:
        raise UserError(f"{path}: has no key {named} for --{key}; {did_you_mean(named, there)}")
    else:
        array = there.get(named or key)
    if array is None:
        return None
    rows = [rows.clone() for rows in array.batches(NUMBERS)]
    return torch.cat(rows) if rows else torch.empty(array.shape)


def listed(there: dict[str, Array]) -> str:
    """What there is, in a few words."""
    some = [f"{key} {array.shape}" for key, array in there.items()]
    return f"it has {', '.join(some[:8])}{', ...' if len(some) > 8 else ''}" if some else "it has no array"


def natural(name: str) -> list[tuple[int, int, str]]:
    """An order of names in which layer2 is before layer10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.findall(r"\d+|\D+", name)]


def measured(layer: Layer, ignore_index: int | None = None) -> Measured:
    """A first pass and a second over a layer; see ``WIDEST`` for what is left out.

    Raises:
        UserError: the file cannot be read on.
        ValueError: what ``Accumulator.update`` refuses, a single class, a classifier that does not fit.
    """
    width = torch.Size(layer.features.shape[1:]).numel()
    found = Measured(
        Accumulator(directions=True, covariance=width <= WIDEST, ignore_index=ignore_index), layer.weight, layer.bias
    )
    run_through(layer, found.seen.update)
    if len(found.seen.classes) < 2:
        raise ValueError(f"labels has a single class, {int(found.seen.classes)}; it must have two or more.")
    second = found.by_means()
    run_through(layer, second.update)
    found.second = second
    return found


def run_through(layer: Layer, update: Callable[[Tensor, Tensor], None]) -> None:
    """One pass; what is refused is told with where in the file it was."""
    start = 0
    for features, labels in layer.batches():
        try:
            update(features, labels)
        except ValueError as error:
            raise ValueError(f"of the samples from {start} on, {error}" if start else str(error)) from error
        start += len(labels)
    if start < len(layer.labels):
        raise ValueError(f"features ends after {start} of {len(layer.labels)} samples.")


def values(found: Measured) -> dict[str, float]:
    """Its measures as numbers; see ``MOST_CLASSES`` for what is left out."""
    computed = found.compute(pairs=len(found.seen.classes) <= MOST_CLASSES)
    return {name: float(value) for name, value in computed.items()}

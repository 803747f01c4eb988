"""``nc-run measure``: the measures of anyone's features, from files."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nc_runner.cli.terminal import noting
from nc_runner.errors import UserError

if TYPE_CHECKING:
    from nc_runner.measure.files import Keys

NAME = 36  # letters of a measure's name, before its meaning begins


@dataclass(frozen=True)
class Told:
    """What is told of a layer: its sizes, whether it has a classifier, its measures by name."""

    samples: int
    width: int
    classes: int
    classifier: bool
    values: dict[str, float]


def measure(words: list[str]) -> int:
    """Measure every layer of every file, and tell it to people or, with --json, to programs.

    Raises:
        UserError: what is wrong with a file, its keys, or the words. Nothing is printed or written then.
    """
    asked = parsed(words)
    from nc_runner.measure.files import Keys, natural

    keys = Keys(tuple(asked.features), asked.labels, asked.weight, asked.bias)
    paths = sorted(dict.fromkeys(asked.files), key=natural)
    found = {path: of_file(Path(path), keys, asked.ignore_index) for path in paths}
    if asked.json:
        files = {
            path: {"layers": {layer: finite(told.values) for layer, told in layers.items()}}
            for path, layers in found.items()
        }
        print(json.dumps(files[paths[0]] if len(files) == 1 else {"files": files}, indent=2))
        return 0
    if asked.plot:
        from nc_runner.cli.measure_plot import plot

        figure = plot({path: {name: told.values for name, told in layers.items()} for path, layers in found.items()})
    blocks = [
        "\n".join(lines(name if len(paths) == 1 else f"{path}: {name}", told))
        for path, layers in found.items()
        for name, told in layers.items()
    ]
    print("\n\n".join([*blocks, *([f"Figure: {figure}"] if asked.plot else [])]))
    return 0


class Parser(argparse.ArgumentParser):
    """One whose mistakes are a sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise it."""
        raise UserError(f"measure: {message}; nc-run measure --help tells what is allowed.")


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The words of the command.

    Raises:
        UserError: one that it does not take, or no file.
    """
    parser = Parser(prog="nc-run measure", add_help=False, allow_abbrev=False)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--features", action="append", default=[])
    for key in ("labels", "weight", "bias"):
        parser.add_argument(f"--{key}")
    parser.add_argument("--ignore-index", type=int)
    for flag in ("json", "plot"):
        parser.add_argument(f"--{flag}", action="store_true")
    asked = parser.parse_intermixed_args(words)
    if not asked.files:
        raise UserError("measure: no file was named; allowed is one FILE of features and labels, or several.")
    if asked.json and asked.plot:
        raise UserError("measure: --json and --plot were given; allowed is one of the two.")
    return asked


def of_file(path: Path, keys: Keys, ignore_index: int | None) -> dict[str, Told]:
    """What is told of each layer of a file.

    Raises:
        UserError: what is wrong, with the file and the layer.
    """
    from nc_runner.measure.files import layers_of, measured, values

    found = {}
    for layer in layers_of(path, keys):
        with noting(f"Measuring {layer.name} of {path}"):
            try:
                passed = measured(layer, ignore_index)
                seen = passed.seen
                sizes = int(seen.count.sum()), seen.width, len(seen.classes)
                found[layer.name] = Told(*sizes, layer.weight is not None, values(passed))
            except ValueError as error:
                sentence = str(error).replace("ignore_index=", "--ignore-index=")
                raise UserError(f"{path}: {layer.name}: {sentence}") from error
    return found


def finite(of: dict[str, float]) -> dict[str, float | None]:
    """NaN and inf, which JSON lacks, as None."""
    return {name: value if math.isfinite(value) else None for name, value in of.items()}


def lines(title: str, told: Told) -> Iterator[str]:
    """A heading, and for each measure its value, the value at collapse, its name and what it means."""
    from nc_runner.measure.files import MOST_CLASSES, WIDEST
    from nc_runner.measure.meanings import MEANINGS

    yield f"{title}: {told.samples} samples of {told.width} numbers in {told.classes} classes"
    yield f"{'value':>10} {'collapse':>8} {'measure':<{NAME}} what it means"
    for name, meaning in MEANINGS.items():
        if name in told.values:
            value, collapsed = short(told.values[name]), short(meaning.collapsed(told.classes))
            yield f"{value:>10} {collapsed:>8} {name:<{NAME}} {meaning.words}"
    if told.width > WIDEST:
        yield f"Left out: what needs the covariance, as a feature has more than {WIDEST} numbers."
    if told.classes > MOST_CLASSES:
        yield f"Left out: what is of all pairs of classes, as they are more than {MOST_CLASSES}."
    if not told.classifier:
        yield "Left out: NC3 and what else needs a classifier, as no weight belongs to the layer."


def short(value: float | None) -> str:
    """Four digits of a number."""
    return "" if value is None else "undefined" if math.isnan(value) else f"{value:.4g}"

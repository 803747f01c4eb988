"""``nc-run --help``: two screens on how to use the program; every key of an experiment; what a command does."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from typing import Any

PROGRAM = """\
nc-run reproduces figures of papers on neural collapse and judges their claims.

Run an experiment: key=value, by Hydra
  nc-run experiment=bn_wd_sweep scale=quick     a figure's shape, in a minute
  nc-run experiment=bn_wd_sweep                 at the paper's own sizes
  nc-run experiment=bn_wd_sweep seeds=5 model.width=300        any key below
  nc-run experiment=bn_wd_sweep model.width=[100,200]          a list: an axis
  nc-run -m experiment=bn_wd_sweep train.epochs=100,300        one job per value

Act on what is there: a plain word
"""

KEYS_FIRST = (
    "experiment", "scale", "seeds", "grid", "data", "model", "train", "train.epochs", "train.batch_size",
    "train.learning_rate", "train.weight_decay", "model.width", "model.depth", "model.norm", "data.samples",
    "data.root", "device", "jobs", "save.features", "hydra.run.dir",
)  # fmt: skip


def of_program() -> int:
    """How to use the program, and the keys that matter first: at most two screens of 24 lines."""
    from nc_runner.cli.commands import COMMANDS

    print(PROGRAM, end="")
    for command in COMMANDS.values():
        print(f"  {f'nc-run {command.usage}':<33} {command.summary}")
    print("\nKeys that matter first")
    for key in KEYS_FIRST:
        print(textwrap.fill(meaning(key), 79, initial_indent=f"  {key:<19} ", subsequent_indent=" " * 22))
    print(
        "\nAll keys, with their values in an experiment: nc-run --help experiment=NAME\n"
        "Also: nc-run COMMAND --help, nc-run --version, nc-run --hydra-help"
    )
    return 0


def meaning(key: str) -> str:
    """A key's meaning in a few words; of a group of the config what there is to choose."""
    from nc_runner.config.compose import SCALES, conf_dir
    from nc_runner.config.keys import schema

    if key == "scale":
        return f"{SCALES[0]} (the paper's sizes), {', '.join(SCALES[1:-1])} or {SCALES[-1]}"
    if key in ("data", "model", "train"):
        return ", ".join(sorted(path.stem for path in (conf_dir() / key).glob("*.yaml")))
    if key == "hydra.run.dir":
        return "the run's folder; outputs/EXPERIMENT/DATE_TIME by default"
    return textwrap.shorten(str(schema()[key].metadata["meaning"]).split(";")[0], 57, placeholder=" ...")


def of_keys(overrides: list[str]) -> int:
    """Every key with its value and its meaning, in the experiment that the overrides name."""
    from nc_runner.cli.mistakes import compose
    from nc_runner.config.keys import flatten, schema

    config = compose(overrides)
    values = flatten(config)
    print(f"Every key, its value with {' '.join(overrides)}, and its meaning\n")
    for key, item in schema().items():
        print(f"{key}={plain(values[key])}")
        print(textwrap.fill(sentence(item), 79, initial_indent="    ", subsequent_indent="    "))
    return 0


def plain(value: Any) -> str:
    """A value as one would type it, or the start of a long one."""
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return textwrap.shorten(text, 60, placeholder=" ...")


def sentence(item: dataclasses.Field[Any]) -> str:
    """A key's meaning with its bounds, or all names it may have as its value."""
    from nc_runner.config import choices
    from nc_runner.config.check import LIMITS

    said = str(item.metadata["meaning"])
    bounds = [f"{LIMITS[kind][1]} {limit:g}" for kind, limit in item.metadata.items() if kind in LIMITS]
    names = [choice.name for choice in getattr(choices, str(item.type), ())]
    if names and not all(re.search(rf"\b{name}\b", said) for name in names):
        said += f": {', '.join(names)}"
    return said + (f" ({' and '.join(bounds)})" if bounds else "")


def of_command(name: str) -> int:
    """What a command does, and its words."""
    from nc_runner.cli.commands import COMMANDS

    command = COMMANDS[name]
    parts = command.help.split("\n\n")
    paragraphs = [part if part.startswith("  ") else textwrap.fill(part, 79) for part in parts]
    print("\n\n".join([f"nc-run {command.usage}", *paragraphs]))
    return 0

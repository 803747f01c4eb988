"""The words of ``nc-run plot``: folders, and key=value of how figures are to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nc_runner.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from nc_runner.experiments.base import Results


def keys() -> dict[str, str]:
    """Every key of ``nc-run plot`` with its meaning: those of ``figures.*`` in a run, and ``out``."""
    from nc_runner.config.figures import FiguresConfig

    known = {item.name: str(item.metadata["meaning"]) for item in fields(FiguresConfig)}
    return known | {"out": "a folder for the figures alone; null: figures/ of the run's folder, with claims.json"}


def parted(words: list[str]) -> tuple[list[str], dict[str, Any]]:
    """The folders among the words, and the options with their values.

    Raises:
        UserError: a key that there is not, or one given twice.
    """
    folders, options = [], dict[str, Any]()
    for word in words:
        if not re.match(r"[a-z_.]+=", word) or Path(word).is_dir():
            folders.append(word)
            continue
        key, _, text = word.partition("=")
        key = key.removeprefix("figures.")
        if key not in keys():
            raise UserError(f"plot: {key}={text}: there is no such key; {did_you_mean(key, keys())}")
        if key in options:
            raise UserError(f"plot: {key} was given twice; allowed is once.")
        if key == "out" and not text:
            raise UserError("plot: out=: names no folder; allowed is one, as out=paper.")
        options[key] = text
    return folders, options


def with_options(results: Results, options: Mapping[str, Any]) -> Results:
    """The results with other options for the figures in their config.

    Raises:
        UserError: a value that the option cannot have, or that needs another option.
    """
    from nc_runner.config.check import check_bounds
    from nc_runner.config.check_figures import check_figures
    from nc_runner.config.keys import replace as with_keys
    from nc_runner.config.keys import schema

    config = with_keys(results.config, {})
    for key, text in options.items():
        name = f"figures.{key}"
        lists = "list" in str(schema()[name].type)
        value = [part.strip() for part in text.strip("[]").split(",") if part.strip()] if lists else text
        try:
            config = with_keys(config, {name: None if value == "null" else value})
        except UserError as error:
            raise UserError(f"plot: {key}={text}: {meaning(key)}; allowed is {allowed(key)}.") from error
        check_bounds(key, getattr(config.figures, key), schema()[name].metadata)
    try:
        check_figures(config)
    except UserError as error:
        raise UserError(str(error).replace("figures.", "plot: ", 1)) from error
    if config.figures.metrics and config.figures.x is None:
        raise UserError("plot: metrics: are those of the figure over x; allowed is with x=KEY.")
    return replace(results, config=config)


def meaning(key: str) -> str:
    """Of an option, in a few words."""
    return keys()[key]


def allowed(key: str) -> str:
    """What values an option can have."""
    return {
        "width": "a number of inches, or null",
        "caption": "true or false",
        "xscale": "linear, log, symlog or null",
    }.get(key, "a text")

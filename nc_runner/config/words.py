"""The command line's words as Hydra takes them; what it cannot read is refused by the word that is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from nc_runner.config.keys import schema
from nc_runner.errors import UserError

GROUPS = ("scale", "data", "model", "train", "experiment")
NO_AXES = ("seeds", "jobs", "grid", "experiment", "device")  # of them the first takes a list itself


def readable(words: Iterable[str], *, several: bool = False) -> list[str]:
    """The words for Hydra; ``grid={key: [values]}`` may name an axis that the experiment does not have.

    A list for a key that takes one value is an axis of the grid, ``model.width=[100,200]``.

    Args:
        several: whether a key may have several values, one for each job of a multirun.

    Raises:
        UserError: a word that is no ``key=value`` by Hydra's grammar, or several values outside a multirun.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    found = []
    for word in words:
        word = word.removeprefix("++") if word.startswith("++grid=") else word  # as one that came through here
        key, sign, value = word.partition("=")
        if not key or not sign or key.startswith("~"):
            raise UserError(f"{word!r}: is not of the form key=value; allowed is for example train.epochs=100.")
        if key.lstrip("+").startswith("scale."):
            raise UserError(f"{word}: a scale picks sizes, which its name alone does not; allowed is scale={value}.")
        try:
            (override,) = parser.parse_overrides([word])
        except HydraException as error:
            raise UserError(
                f"{word!r}: cannot be read as key=value ({reason(error)}); allowed is a value with spaces, commas, "
                f"brackets or = in quotes of its own, as \"{key}='...'\"."
            ) from error
        if override.is_sweep_override() and not several:
            raise UserError(
                f"{word}: has several values; allowed is one, or a list, {key}=[{value}], which makes an axis of the "
                "grid, or -m before all words, which makes a job of each."
            )
        if is_axis(key, value):
            word = f"++grid={{{key}:{value}}}"
        elif value.startswith("[") and key in GROUPS:
            raise UserError(
                f"{word}: is a list, but {key}= picks one of the files in conf/{key}; allowed is one, or "
                f"-m {key}={value.strip('[]')}, which makes a job of each."
            )
        found.append(f"++{word}" if key in ("grid", "model.args") else word)
    return found


def is_axis(key: str, value: str) -> bool:
    """Whether a word gives a list of values to a key that takes one."""
    known = schema()
    return value.startswith("[") and key in known and key not in NO_AXES and not str(known[key].type).startswith("list")


def reason(error: BaseException) -> str:
    """What the grammar says, in its shortest words."""
    text = next((line for line in str(error).splitlines() if "Error parsing" not in line), "")
    if "LexerNoViableAlt" in text or not text:
        return "a letter that has no place there"
    return text.split(" expecting ")[0].replace("no viable alternative at input", "it ends or breaks off at")

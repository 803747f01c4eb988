"""Hydra's and OmegaConf's complaints as one plain sentence that names the key, the value and what is allowed."""

from __future__ import annotations

import difflib
import re

from nc_runner.config.compose import composed, known_names
from nc_runner.config.keys import first_line, schema, to_config
from nc_runner.config.schema import Config
from nc_runner.errors import UserError, did_you_mean

GROUPS = ("scale", "data", "model", "train", "hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")
OTHER_NAMES = {
    "lr": "train.learning_rate", "wd": "train.weight_decay", "bs": "train.batch_size", "batch": "train.batch_size",
    "n": "data.samples", "layers": "model.depth", "seed": "seeds", "classes": "data.classes", "dataset": "data",
    "workers": "jobs", "lambda": "train.weight_decay", "eta": "train.learning_rate",
}  # fmt: skip
KINDS = {
    "int": "a whole number",
    "int | None": "a whole number, or null",
    "float": "a number",
    "bool": "true or false",
    "str | None": "a text, or null",
    "list[float]": "a list of numbers",
}


def compose(overrides: list[str]) -> Config:
    """The typed config that these overrides mean.

    Raises:
        UserError: what is wrong with them, in one sentence.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        return to_config(composed(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(plain_sentence(error)) from error


def plain_sentence(error: BaseException) -> str:
    """What the person has to change, from the exception chain that composing a config ended in."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    text = "\n".join(str(link) for link in chain)
    for explain in (_unknown_choice, _unknown_key, _bad_value, _unmergeable):
        if sentence := explain(text):
            return sentence
    return f"{first_line(error)}."


def _unknown_choice(text: str) -> str | None:
    """A config group without that option: experiment=nope, scale=huge."""
    found = re.search(r"Could not find '([\w/]+)/([^'/]+)'", text)
    if not found:
        return None
    group, option = found.groups()
    allowed = re.search(rf"Available options in '{group}':\n((?:\t.*\n?)+)", text)
    names = allowed.group(1).split() if allowed else known_names()
    return f"{group}={option}: there is no such {group}; {did_you_mean(option, names)}"


def _unknown_key(text: str) -> str | None:
    """A key the schema lacks; the nearest ones are offered."""
    found = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)' is not in struct", text)
    found = found or re.search(r"Key '([^']+)' not in '\w+'\n\s+full_key: ([\w.]+)", text)
    if not found or "Could not find" in text:
        return None
    key = found.groups()[-1]
    known = [*schema(), *GROUPS]
    last = key.rsplit(".", 1)[-1]
    near = [OTHER_NAMES[last.lower()]] if last.lower() in OTHER_NAMES else []
    near = near or [name for name in known if name.rsplit(".", 1)[-1] == last]
    near = near or difflib.get_close_matches(key, known, n=2, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "nc-run --help experiment=NAME lists every key."
    return f"{key}: there is no such key; {hint}"


def _bad_value(text: str) -> str | None:
    """A value of the wrong type."""
    override = re.search(r"Error merging override (\S+)", text)
    reason = re.search(
        r"((?:Value '.*' of type|Invalid value|Cannot convert|Incompatible value|Value '.*' could not).*)", text
    )
    if not reason:
        return None
    key = re.search(r"full_key: ([\w.]+)", text)
    where = override.group(1).removeprefix("++") if override else (key.group(1) if key else "config")
    name = where.split("=", 1)[0].lstrip("+~")
    if name not in schema():
        return f"{where}: {reason.group(1).rstrip('.')}."
    item = schema()[name]
    if options := re.search(r"expected one of \[(.*)\]", text):
        typed = where.split("=", 1)[-1]
        return f"{where}: {item.metadata['meaning']}; {did_you_mean(typed, options.group(1).split(', '))}"
    return f"{where}: {item.metadata['meaning']}; allowed is {KINDS.get(str(item.type), str(item.type))}."


def _unmergeable(text: str) -> str | None:
    """A word that the config cannot take for another reason: a key removed, a value where there are several."""
    found = re.search(r"Error merging override (\S+)", text)
    if not found:
        return None
    word = found.group(1).removeprefix("++")
    key = word.split("=", 1)[0].lstrip("+~")
    meaning = (
        schema()[key].metadata["meaning"] if key in schema() else "no key of the config can be left out or replaced"
    )
    return f"{word}: cannot be set so; {key} is {meaning}."

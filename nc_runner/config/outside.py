"""Experiments of other packages: entry points of the group ``nc_runner.experiments``, and their config files.

An entry point's name is the experiment's, its value the record, ``PACKAGE.MODULE:EXPERIMENT``; the package has a folder
``conf`` laid out as ours. Nothing of them is imported here, so that a broken one breaks no other.
"""

from __future__ import annotations

import functools
import importlib.util
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from nc_runner.errors import UserError

GROUP = "nc_runner.experiments"


@functools.cache
def entries() -> dict[str, EntryPoint]:
    """The entry points by their experiments' names; of two of one name the first on the path."""
    return {entry.name: entry for entry in reversed(tuple(entry_points(group=GROUP)))}


def conf_folder(name: str) -> Path:
    """The folder ``conf`` of the package that an experiment is of.

    Raises:
        UserError: the package is not there any more, or has no file for the experiment.
    """
    package = entries()[name].value.partition(":")[0].partition(".")[0]
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    for folder in (spec and spec.submodule_search_locations) or ():
        if (Path(folder) / "conf" / "experiment" / f"{name}.yaml").is_file():
            return Path(folder) / "conf"
    lacks = f"has no conf/experiment/{name}.yaml" if spec else "is not there"
    raise UserError(
        f"experiment={name}: {called(name)} names it, whose package {package} {lacks}; allowed is a package with that "
        "file."
    )


def conf_folders() -> list[Path]:
    """The folders of all packages that are as they should be, each once."""
    found: dict[Path, None] = {}
    for name in entries():
        try:
            found[conf_folder(name)] = None
        except UserError:  # which whoever asks for this experiment is told
            continue
    return list(found)


def distribution(name: str | None) -> dict[str, str]:
    """The version of what an experiment was installed with, by its name; of ours none."""
    entry = entries().get(name or "")
    return {entry.dist.name: entry.dist.version} if entry and entry.dist else {}


def called(name: str) -> str:
    """What an experiment was installed with, in words."""
    return " ".join(f"{what} {version}" for what, version in distribution(name).items()) or "an installed package"

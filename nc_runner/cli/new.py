"""``nc-run new``: a package of one's own with an experiment in it, which installs and runs as it is.

What is written is the package in ``template/``, an experiment like any other, under another name.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
import sys
from pathlib import Path

from nc_runner.errors import UserError

TEMPLATE = Path(__file__).parent / "template"
EXAMPLE = "width_sweep"  # the name it has there
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?<!_)")  # of a Python package and of what pip installs


def new(words: list[str]) -> int:
    """Write the package, and say how to install and run it.

    Raises:
        UserError: another number of words than one, a name that cannot be one, or is taken; an unwritable folder.
    """
    if len(words) != 1:
        raise UserError(f"new: {len(words)} words were given; allowed is one NAME.")
    name, folder = words[0], Path(words[0])
    check_name(name)
    try:
        folder.mkdir()
    except OSError as error:
        raise UserError(f"new {name}: cannot make ./{name} ({error.strerror}); allowed is a new folder.") from error
    try:
        for path, text in written(name).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)  # made above, so nobody's but ours
        raise UserError(
            f"new {name}: {error.filename or folder} cannot be written ({error.strerror}); allowed is a folder that "
            "can be, on a disk with space left."
        ) from error
    print(f"./{name} is written: an experiment that runs as it is. Next:")
    print(f"  {sys.executable} -m pip install -e ./{name}")
    print(f"  nc-run experiment={name} scale=smoke")
    print(f"Then change what to run in {name}/src/{name}/conf, what to measure, draw and claim in "
          f"{name}/src/{name}/experiment.py.")  # fmt: skip
    return 0


def check_name(name: str) -> None:
    """Refuse a name that no package or no experiment can have.

    Raises:
        UserError: it is no identifier, or it is taken.
    """
    import yaml

    from nc_runner.config.compose import known_names

    if not NAME.fullmatch(name) or keyword.iskeyword(name) or yaml.safe_load(name) != name:
        raise UserError(
            f"new {name}: cannot be the name of a Python package and of an experiment; allowed are letters, digits "
            "and _, as my_sweep."
        )
    if Path(name).exists():
        raise UserError(f"new {name}: ./{name} is there already; allowed is a new folder.")
    if name in known_names():
        raise UserError(f"new {name}: there is an experiment of that name; allowed is another name.")
    if importlib.util.find_spec(name):
        raise UserError(f"new {name}: there is a Python module of that name; allowed is another name.")


def written(name: str) -> dict[Path, str]:
    """The files of a package of that name, by their paths in it."""
    files = sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {
        Path(str(path.relative_to(TEMPLATE)).replace(EXAMPLE, name)): path.read_text(encoding="utf-8").replace(
            EXAMPLE, name
        )
        for path in files
    }

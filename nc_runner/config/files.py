"""A person's own YAML files, refused by name, line and reason before Hydra stumbles over them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nc_runner.errors import UserError


def check_yaml(paths: Iterable[Path]) -> None:
    """Refuse a config file that cannot be read as it is meant.

    Raises:
        UserError: not UTF-8, a byte order mark, which hides the file's first line from Hydra, no YAML, a key twice.
    """
    import yaml
    from omegaconf import OmegaConf

    for path in paths:
        if not path.is_file():
            continue
        content = path.read_bytes()
        if content.startswith(b"\xef\xbb\xbf"):
            raise UserError(f"{path}: begins with a byte order mark; allowed is UTF-8 without one.")
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise UserError(f"{path}, line {line}: is not UTF-8; allowed is a file saved as UTF-8.") from error
        try:
            OmegaConf.load(path)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or str(error).splitlines()[0]
            where = f", line {mark.line + 1}" if mark else ""
            raise UserError(f"{path}{where}: {problem}; allowed is YAML, indented by spaces, each key once.") from error
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"{path}: {reason}; allowed is YAML of keys and values.") from error

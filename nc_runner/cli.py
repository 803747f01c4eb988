"""The command line: ``key=value`` goes to Hydra and runs; a plain word (plot, resume, ...) acts on what is there.

Torch is imported late, so that help and mistakes answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from nc_runner.errors import UserError, refuse


def main() -> NoReturn:
    """Entry point of ``nc-run``."""
    words = sys.argv[1:]
    try:
        code = dispatch(words)
    except UserError as error:
        code = refuse(error)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # whoever read our output, head or less, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code)


def dispatch(words: Sequence[str]) -> int:
    """Send the command's words where they belong; the exit code."""
    from nc_runner import commands

    if not words or words[0] in ("-h", "--help") or "--help" in words or "-h" in words:
        return commands.show_help([word for word in words if "=" in word])
    if words[0] in commands.COMMANDS:
        return commands.COMMANDS[words[0]](list(words[1:]))
    if "=" not in words[0] and not words[0].startswith(("-", "+", "~")):
        allowed = ", ".join(commands.COMMANDS)
        raise UserError(f"{words[0]}: is neither a command nor key=value; allowed commands are {allowed}.")
    return hydra_run()


def hydra_run() -> int:
    """Compose, and run one job or a multirun, through Hydra."""
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from nc_runner import jobs
    from nc_runner.configs import conf_dir, register
    from nc_runner.mistakes import plain_sentence

    register()
    application: Callable[[], Any] = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(
        jobs.run_job
    )
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions shall come here, not be printed and turned into exit code 1
    try:
        application()
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(plain_sentence(error)) from error
    return jobs.exit_code()

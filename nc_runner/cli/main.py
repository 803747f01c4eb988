"""Where the words of a command go: ``key=value`` to Hydra, a plain word to its command, ``--help`` to an answer.

Torch is imported late, so that help and mistakes answer at once.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from nc_runner.cli.terminal import make_unfailing, noting
from nc_runner.errors import UserError, did_you_mean, refuse

# Python would look for garbage every 700 objects, for a third of the time that imports take, here and in each worker,
# which imports this too.
gc.set_threshold(100_000)

HELP = ("-h", "--help", "help")

# Flags of Hydra that take a word of their own: with them the words go on as they are.
AS_THEY_ARE = {
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd",
    "--experimental-rerun", "--info", "-i", "--shell-completion", "-sc", "--hydra-help",
}  # fmt: skip


def main() -> NoReturn:
    """Entry point of ``nc-run``."""
    make_unfailing()
    words = sys.argv[1:]
    try:
        code = dispatch(words)
    except UserError as error:
        code = refuse(error)
    except KeyboardInterrupt:
        code = 130
    finally:
        gc.freeze()  # what torch made is nothing to collect at the end either
    sys.exit(code)


def dispatch(words: Sequence[str]) -> int:
    """Send the command's words where they belong; the exit code."""
    from nc_runner.cli import help
    from nc_runner.cli.commands import COMMANDS

    asked = [word for word in words if word not in HELP]
    if not words or len(asked) < len(words):
        if asked and asked[0] in COMMANDS:
            return help.of_command(asked[0])
        settings = [word for word in asked if "=" in word]
        if asked and not settings and not asked[0].startswith("-"):
            raise UserError(unknown_word(asked[0], list(COMMANDS)))
        return help.of_keys(settings) if settings else help.of_program()
    if words[0] in ("-V", "--version"):
        from nc_runner.cli.version import show_version

        return show_version()
    if words[0] in COMMANDS:
        return COMMANDS[words[0]].run(list(words[1:]))
    if "=" not in words[0] and not words[0].startswith(("-", "+", "~")):
        raise UserError(unknown_word(words[0], list(COMMANDS)))
    return hydra_run()


def unknown_word(word: str, commands: Sequence[str]) -> str:
    """What to say of a first word that is no command; it may be an experiment's name."""
    from nc_runner.config.compose import known_names

    if word in known_names():
        return f"{word}: is an experiment; run it with nc-run experiment={word}."
    return f"{word}: is neither a command nor key=value; {did_you_mean(word, commands)}"


def hydra_run() -> int:
    """Compose, and run one job or a multirun, through Hydra."""
    with noting("Loading the program"):
        import hydra
        from hydra.errors import HydraException
        from omegaconf.errors import OmegaConfBaseException

        from nc_runner.cli import hydra_job
        from nc_runner.cli.mistakes import plain_sentence
        from nc_runner.config.compose import conf_dir, own_files, register
        from nc_runner.config.files import check_yaml
        from nc_runner.config.words import readable
        from nc_runner.run.stopping import Stopped, requests_to_stop

    register()
    flags = [word for word in sys.argv[1:] if word.startswith("-")]
    several = "-m" in flags or "--multirun" in flags
    if not AS_THEY_ARE & {flag.split("=")[0] for flag in flags}:
        rest = [word for word in sys.argv[1:] if not word.startswith("-")]
        sys.argv[1:] = [*flags, *readable(rest, several=several)]
        check_yaml(own_files(rest))
    application: Callable[[], Any] = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(
        hydra_job.run_job
    )
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra raises exceptions here, and does not print them and exit
    try:
        with requests_to_stop():
            application()
    except Stopped as stopped:
        hydra_job.interrupted(stopped)
        return stopped.exit_code
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(plain_sentence(error)) from error
    return hydra_job.exit_code()

"""What the program says of itself at 80 columns: help, list, version, cite."""

import json
import re

import pytest
from conftest import Cli

import nc_runner
from nc_runner.config.compose import experiment_names
from nc_runner.config.keys import schema


def said(cli: Cli, *words: str) -> list[str]:
    """The lines that a command prints on a terminal of 80 columns, none of them longer."""
    done = cli(*words, COLUMNS="80")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80, [line for line in lines if len(line) > 80]
    return lines


@pytest.mark.parametrize("words", [(), ("-h",), ("--help",), ("help",)])
def test_help_fits_two_screens_and_names_commands_and_the_first_keys(cli: Cli, words: tuple[str, ...]) -> None:
    lines = said(cli, *words)
    assert len(lines) <= 46
    text = "\n".join(lines)
    for word in (
        "experiment=",
        "scale",
        "train.weight_decay",
        "plot FOLDER",
        "resume FOLDER",
        "list",
        "cache [--clear]",
        "cite",
        "--help",
    ):
        assert word in text


@pytest.mark.parametrize("words", [("--help", "experiment=bn_wd_sweep"), ("experiment=bn_wd_sweep", "-h")])
def test_help_of_an_experiment_has_every_key_with_its_value_there(cli: Cli, words: tuple[str, ...]) -> None:
    lines = said(cli, *words)
    assert [line.split("=")[0] for line in lines if re.match(r"[a-z0-9_.]+=", line)] == list(schema())
    assert "train.epochs=300" in lines
    assert "train.batch_size=128" in lines
    assert "data.root=null" in lines


@pytest.mark.parametrize("command", ["plot", "resume", "list", "cite", "cache", "measure", "new"])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_a_command_explains_itself(cli: Cli, command: str, flag: str) -> None:
    lines = said(cli, command, flag)
    assert lines[0].startswith(f"nc-run {command} ")
    assert len(lines) >= 3
    assert said(cli, "help", command) == lines


def test_list_has_a_line_an_experiment_under_its_paper(cli: Cli) -> None:
    lines = said(cli, "list")
    names = [line.split()[0] for line in lines if line.split() and line.split()[0] in experiment_names()]
    assert sorted(names) == experiment_names()
    headings = [
        i for i, line in enumerate(lines) if re.match(r"(Pan|Ji et al\.|Zangrando et al\.|Jacot et al\.) 20", line)
    ]
    assert len(headings) == 4
    assert [line for line in lines[headings[0] :] if line.startswith("bn_wd_sweep ")]
    assert lines.index(next(line for line in lines if line.startswith("ulpm_flow "))) > headings[1]


def test_list_as_json_has_everything(cli: Cli) -> None:
    entries = json.loads(cli("list", "--json", COLUMNS="80").stdout)
    assert [entry["name"] for entry in entries] == experiment_names()
    for entry in entries:
        assert set(entry) >= {"name", "paper", "title", "figure", "summary", "time", "command", "bibtex"}
        assert all(entry[key] for key in ("paper", "title", "figure", "summary", "time", "bibtex"))


def test_the_version_is_ours(cli: Cli) -> None:
    first, second = said(cli, "--version")
    assert first.startswith(f"nc-run {nc_runner.__version__}")
    assert "torch" in second
    assert "device" in second


def test_cite(cli: Cli) -> None:
    assert "@mastersthesis{pan2023" in cli("cite", "bn_wd_sweep").stdout


def test_completion_as_hydra_gives_it(cli: Cli) -> None:
    done = cli("--shell-completion", "install=bash")
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout

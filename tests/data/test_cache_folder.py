"""Which folder is this machine's cache."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from nc_runner.data.cache_folder import cache_folder

WHERE = "from nc_runner.data.cache_folder import cache_folder; print(cache_folder())"


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The platform's folder, not made yet, without NC_CACHE."""
    monkeypatch.delenv("NC_CACHE")
    folder = tmp_path / "home" / "cache"
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name, appauthor: folder / name)
    return folder / "nc-run"


@pytest.fixture
def at_exit(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
    """What will be done when this process ends."""
    todo: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
    monkeypatch.setattr(atexit, "register", lambda what, *words, **keys: todo.append((what, words, keys)))
    return todo


def test_nc_cache_comes_first(tmp_path: Path, platform: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NC_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.setenv("NC_CACHE", "~/mine")
    assert cache_folder() == Path.home() / "mine"
    assert not platform.exists()


@pytest.mark.parametrize("value", [None, ""])
def test_else_it_is_the_platform_s(platform: Path, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        monkeypatch.setenv("NC_CACHE", value)
    assert cache_folder() == platform
    assert platform.is_dir()


@pytest.mark.parametrize("kind", ["no folder", "not to be written"])
def test_else_a_temporary_one_that_children_share(
    platform: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], at_exit: list[Any], kind: str
) -> None:
    if kind == "no folder":
        platform.parent.parent.write_text("a file where the home should be")
    else:
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    monkeypatch.setenv("NC_CACHE", "")  # so that what is set is undone
    folder = cache_folder()
    assert folder.is_dir()
    assert folder != platform
    assert cache_folder() == folder
    said = capsys.readouterr().err
    assert said.count("nc-run:") == 1
    assert f"{platform} cannot be written" in said
    child = subprocess.run([sys.executable, "-c", WHERE], capture_output=True, text=True, check=True)
    assert (child.stdout.strip(), child.stderr) == (str(folder), "")
    assert folder.is_dir()  # the child leaves it
    ((remove, words, keys),) = at_exit
    remove(*words, **keys)
    assert not folder.exists()

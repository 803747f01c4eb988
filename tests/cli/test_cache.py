"""``nc-run cache``: what it says, and what it removes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import Cli

from nc_runner.cli.cache import amount
from nc_runner.data import image_cache
from nc_runner.data.image_cache import Decoded, Key


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two sets of images of a million bytes each, and files that others put there."""
    monkeypatch.setenv("NC_CACHE", str(tmp_path / "cache"))
    for size in (8, 16):
        image_cache.write(Key(size, None), Decoded(torch.zeros(10**6 // 100, 1, 10, 10, dtype=torch.uint8), {}))
    (tmp_path / "cache" / "datasets").mkdir()
    for name in ("notes.txt", "images/weights.safetensors", "datasets/table.arrow"):
        (tmp_path / "cache" / name).write_text("not ours")
    return tmp_path / "cache"


def said(cli: Cli, *words: str) -> str:
    done = cli("cache", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_says_where_and_how_much(cli: Cli, folder: Path) -> None:
    assert said(cli) == f"{folder / 'images'} holds decoded images: 2 files, 2.0 MB.\n"


def test_clear_removes_what_was_decoded_and_nothing_else(cli: Cli, folder: Path) -> None:
    assert said(cli, "--clear") == f"{folder / 'images'}: decoded images were removed: 2 files, 2.0 MB.\n"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {"notes.txt", "images/weights.safetensors", "datasets/table.arrow"}
    for words in ((), ("--clear",)):
        assert said(cli, *words) == f"{folder / 'images'} holds no decoded images.\n"


def test_another_word_is_refused_and_removes_nothing(cli: Cli, folder: Path) -> None:
    done = cli("cache", "clear")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nc-run: cache: clear was given; allowed is nothing, or --clear.\n"
    assert len(image_cache.files()) == 2


def test_what_cannot_be_removed_is_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nc_runner.cli.cache import cache
    from nc_runner.errors import UserError

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(UserError, match=r"cannot be removed \(Permission denied\); allowed is a folder that can be\.$"):
        cache(["--clear"])
    assert capsys.readouterr().out == ""


def test_amounts() -> None:
    assert [amount(1, 40_000), amount(3, 42_500_832), amount(12, 10**10)] == [
        "1 file, 0.0 MB",
        "3 files, 42.5 MB",
        "12 files, 10.0 GB",
    ]

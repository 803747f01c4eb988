"""What goes through the ``datasets`` library, where it has no folder to keep it in."""

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from PIL import Image

from nc_runner.data.hub import give_a_cache
from nc_runner.record.folder import RunFolder

WORDS = ("experiment=linear_head_depth", "scale=smoke", "data=images", "data.classes=3", "data.per_class=6")
SMALL = ("jobs=1", "train.epochs=1", "grid={train.weight_decay:[1e-3]}", "hydra.run.dir=run")


@pytest.fixture
def no_home(tmp_path: Path) -> str:
    """A home that nobody can make, not even root: it lies under a file."""
    (tmp_path / "file").write_text("no folder")
    return str(tmp_path / "file" / "home")


@pytest.fixture
def described_images(tmp_path: Path) -> Path:
    """Images with a table of their labels beside them, as only ``datasets`` reads them."""
    folder, random = tmp_path / "described", np.random.default_rng(0)
    folder.mkdir()
    rows = ["file_name,label"]
    for i in range(18):
        Image.fromarray(random.integers(0, 255, (8, 8), dtype=np.uint8)).save(folder / f"{i}.png")
        rows.append(f"{i}.png,{i % 3}")
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


def test_images_are_read_where_home_cannot_be_written(cli: Cli, no_home: str, described_images: Path) -> None:
    home = {"HOME": no_home, "XDG_CACHE_HOME": "", "HF_HOME": "", "NC_CACHE": ""}
    done = cli(*WORDS, *SMALL, f"data.path={described_images}", **home)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nc-run: the cache folder") == 1
    assert "NC_CACHE may name another folder" in done.stderr


def test_what_datasets_keeps_goes_to_nc_cache_then(
    cli: Cli, no_home: str, described_images: Path, tmp_path: Path
) -> None:
    home = {"HOME": no_home, "XDG_CACHE_HOME": "", "HF_HOME": "", "NC_CACHE": str(tmp_path / "mine")}
    done = cli(*WORDS, *SMALL, f"data.path={described_images}", **home)
    assert done.returncode == 0, done.stderr
    assert "cache folder" not in done.stderr
    assert (tmp_path / "mine" / "huggingface" / "datasets").is_dir()
    assert RunFolder(tmp_path / "run").state() == "completed"


def test_a_hub_folder_that_can_only_be_read_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    (shared / "hub").mkdir(parents=True)
    for name, value in (("HF_HOME", str(shared)), ("NC_CACHE", str(tmp_path / "mine"))):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_HUB_CACHE", "")
    monkeypatch.delenv("HF_HUB_CACHE")
    give_a_cache()
    assert os.environ["HF_HOME"] == str(shared)  # it can be written, so all stays
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    give_a_cache()
    assert os.environ["HF_HOME"] == str(tmp_path / "mine" / "huggingface")
    assert os.environ["HF_HUB_CACHE"] == str(shared / "hub")

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nc_runner.errors import UserError
from nc_runner.record.files import make, write_atomically


def test_many_runs_started_at_once_get_a_folder_each(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: make(tmp_path / "outputs" / "now"), range(40)))
    assert len(set(made)) == 40
    assert all(folder.is_dir() for folder in made)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"hydra\.run\.dir=.*file/run: cannot be written"):
        make(tmp_path / "file" / "run")


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk"):
        write_atomically(path, write)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]

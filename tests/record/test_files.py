import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from safetensors import SafetensorError

from nc_runner.errors import UserError
from nc_runner.record.files import make, write_atomically


def test_many_runs_started_at_once_get_a_folder_each(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: make(tmp_path / "outputs" / "now", "hydra.run.dir"), range(40)))
    assert len(set(made)) == 40
    assert all(folder.is_dir() for folder in made)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"hydra\.run\.dir=.*file/run: cannot be written"):
        make(tmp_path / "file" / "run", "hydra.run.dir")


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


@pytest.mark.parametrize("path", [".", "..", "/", "sub/.."])
def test_the_current_folder_and_those_above_it_are_never_a_run_s(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match=rf"^hydra\.sweep\.dir={path}: is the current folder or one above it"):
        make(Path(path), "hydra.sweep.dir")
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


@pytest.mark.parametrize("kind", [OSError, SafetensorError])
def test_a_full_disk_is_a_sentence(tmp_path: Path, kind: type[Exception]) -> None:
    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device") if kind is OSError else kind("No space left on device")

    with pytest.raises(UserError, match=r"table\.csv: cannot be written \(No space left on device\)"):
        write_atomically(tmp_path / "table.csv", write)
    assert list(tmp_path.iterdir()) == []

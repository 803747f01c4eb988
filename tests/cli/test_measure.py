"""``nc-run measure`` as a person calls it: its mistakes, and the figure that it draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from stored import drawn

from nc_runner.cli.measure import measure
from nc_runner.cli.measure_plot import drawn as drawing_of
from nc_runner.cli.measure_plot import numbered, over_files
from nc_runner.errors import UserError


def test_a_truncated_file_among_others_is_one_sentence_exit_code_2_and_no_output(cli: Cli, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, **drawn())
    (tmp_path / "b.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:-9])
    done = cli("measure", "a.npz", "b.npz", "--plot")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("nc-run: b.npz: cannot be read as .npz (")
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_files_lie_at_the_number_that_differs_in_their_names() -> None:
    assert numbered(["run2/epoch_2.npz", "run2/epoch_10.npz"]) == ([2.0, 10.0], "epoch")
    assert numbered(["1.npz", "3.npz"]) == ([1.0, 3.0], "number")
    assert numbered(["a1_b1.npz", "a2_b2.npz"]) == ([0.0, 1.0], "file")
    assert numbered(["early.npz", "late.npz"]) == ([0.0, 1.0], "file")


def test_a_line_a_layer_over_the_files_and_undefined_is_no_point() -> None:
    values = {"within_between_trace_ratio": 0.5, "ncc_accuracy": 0.9}
    told = {
        "epoch_2.pt": {"a": values, "b": values | {"ncc_accuracy": float("nan")}},
        "epoch_4.pt": {"a": values | {"ncc_accuracy": 1.0, "within_between_trace_ratio": 1e-3}},
    }
    drawing = over_files(told, ["a", "b"])
    first, last = drawing.figure.axes
    assert [line.get_label() for line in first.lines] == ["a", "b"]
    drawn_lines = {str(line.get_label()): line for line in last.lines}
    assert drawn_lines["a"].get_xdata().tolist() == [2.0, 4.0]  # type: ignore[union-attr]
    assert drawn_lines["a"].get_ydata().tolist() == [0.9, 1.0]  # type: ignore[union-attr]
    assert first.get_yscale() == "log"
    assert last.get_xlabel() == "epoch"
    assert "1 undefined value" in drawing.caption
    layers = drawing_of({"": [(0.0, values), (1.0, values)]}, "layer", ["conv", "fc"])
    assert [label.get_text() for label in layers.figure.axes[0].get_xticklabels()] == ["conv", "fc"]


def test_the_figure_is_written_into_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arrays = drawn()
    means = np.stack([arrays["features"][arrays["labels"] == label].mean(axis=0) for label in range(4)])
    noise = arrays["features"] - means[arrays["labels"]]
    for epoch in (1, 2, 10):
        layers = {
            "features/block1": arrays["features"],
            "features/block2": arrays["features"] - noise * (1 - 1 / epoch),
        }
        kept = {key: array for key, array in arrays.items() if key != "features"}
        np.savez(f"epoch_{epoch}.npz", **kept, **layers)
    assert measure(["epoch_10.npz", "epoch_1.npz", "epoch_2.npz", "--plot"]) == 0
    (folder,) = Path("outputs/measure").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["measures.md", "measures.pdf", "measures.png"]
    assert capsys.readouterr().out.splitlines()[-1] == f"Figure: {folder / 'measures.png'}"
    many = {f"features/{i}": arrays["features"] for i in range(19)}
    np.savez("many_1.npz", labels=arrays["labels"], **many)
    np.savez("many_2.npz", labels=arrays["labels"], **many)
    with pytest.raises(UserError, match="--plot was given with 19 layers, more lines than one can tell apart"):
        measure(["many_1.npz", "many_2.npz", "--plot"])

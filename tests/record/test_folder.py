import math
from pathlib import Path

import pandas as pd
import pytest
import torch

from nc_runner.errors import UserError
from nc_runner.record.folder import METRIC_COLUMNS, RunFolder

METRICS = pd.DataFrame([["a", 1, None, "loss", math.nan]], columns=METRIC_COLUMNS)


def test_json_has_no_nan(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json("a.json", {"x": [math.nan, 1.5, (math.inf,)]})
    assert folder.read_json("a.json") == {"x": [None, 1.5, [None]]}


def test_a_truncated_table_is_refused_by_name(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_metrics(METRICS)
    assert folder.read_metrics()["value"].isna().all()
    path = tmp_path / "metrics.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"metrics\.parquet: cannot be read, truncated or damaged"):
        folder.read_metrics()


def test_trials_keep_a_norm_called_none(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    names = ["none", "None", "null", "NA", "nan"]  # all but the first are what pandas takes for missing values
    ids = ["00e1", "1e10", "0012", "123", "abc"]
    folder.write_trials(pd.DataFrame({"id": ids, "model.norm": names, "loss": [math.nan, 1.0, 2.0, 3.0, 4.0]}))
    table = folder.read_trials()
    assert table["id"].tolist() == ids
    assert table["model.norm"].tolist() == names
    assert table["loss"].isna().tolist() == [True, False, False, False, False]


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_checkpoint("s") is None
    rows = [["t", 1, None, "loss", 0.1 + 0.2], ["t", 1, 2, "x", math.nan]]
    folder.write_checkpoint("s", {"a": torch.arange(6.0).view(2, 3).t()}, {"step": 3, "rows": rows})
    tensors, record = folder.read_checkpoint("s") or pytest.fail("no checkpoint")
    assert torch.equal(tensors["a"], torch.arange(6.0).view(2, 3).t())
    assert record["rows"][0] == rows[0]
    assert math.isnan(record["rows"][1][4])


def test_a_locked_folder_is_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path).locked(), pytest.raises(UserError, match="another nc-run"), RunFolder(tmp_path).locked():
        pass


def test_pictures_begin_with_the_paper_s_figures(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name in ("bound.png", "figure_2.png", "figure_1.png", "figure_1.pdf", "figure_1.md", "movie.gif"):
        (tmp_path / "figures" / name).touch()
    folder = RunFolder(tmp_path)
    assert [path.name for path in folder.pictures(".png")] == ["figure_1.png", "figure_2.png", "bound.png"]
    assert [path.name for path in folder.pictures(".png", ".gif")][-1] == "movie.gif"
    assert RunFolder(tmp_path / "other").pictures(".png") == []

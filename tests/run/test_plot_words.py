"""What ``nc-run plot`` is told by key=value: what comes of it, and what is refused in a sentence."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib import font_manager
from PIL import Image

from nc_runner.errors import UserError
from nc_runner.figures.look import styled
from nc_runner.run.plot_words import keys, parted
from nc_runner.run.replot import plot

REFUSED = {
    "widht=3.3": "widht=3.3: there is no such key; did you mean width?",
    "width=wide": "plot: width=wide: .*allowed is a number of inches",
    "width=1": "width=1.0: .*allowed is at least 2.5",
    "caption=perhaps": "caption=perhaps: .*allowed is true or false",
    "format=jpg": "plot: format=jpg: did you mean png",
    "format=": "names no format",
    "style=nowhere": "style=nowhere: is no file",
    "xscale=lgo": "xscale=lgo: .*allowed is linear, log, symlog",
    "x=model.widht": "x=model.widht: there is no such key; did you mean model.width",
    "x=model.depth": "x=model.depth: does not vary in these runs; allowed are model.norm, train.weight_decay",
    "by=model.depth": "by=model.depth: does not vary in these runs",
    "metrics=loss": "allowed is with x=KEY",
    "out=": "out=: names no folder",
}


@pytest.mark.parametrize("word", REFUSED)
def test_a_word_that_cannot_be_meant_is_refused_and_nothing_is_drawn(
    word: str, finished_run: Path, tmp_path: Path
) -> None:
    words = [word] if word == "out=" else [word, f"out={tmp_path / 'out'}"]
    with pytest.raises(UserError, match=REFUSED[word]):
        plot([str(finished_run), *words])
    assert not (tmp_path / "out").exists()


def test_a_metric_that_was_not_measured_is_refused(finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="metrics=los: was not measured; did you mean loss"):
        plot([str(finished_run), "x=model.norm", "metrics=los", f"out={tmp_path / 'out'}"])
    assert not (tmp_path / "out").exists()


def test_words_are_parted_and_a_folder_may_have_a_sign_in_its_name(tmp_path: Path) -> None:
    odd = tmp_path / "lr=1"
    odd.mkdir()
    assert parted([str(odd), "a", "width=3.3", "figures.caption=false"]) == (
        [str(odd), "a"], {"width": "3.3", "caption": "false"},
    )  # fmt: skip
    with pytest.raises(UserError, match="width was given twice"):
        parted(["a", "width=3", "width=4"])
    assert {"width", "style", "caption", "format", "by", "x", "xscale", "metrics", "out"} == set(keys())


def test_a_figure_for_a_paper_has_its_width_its_fonts_and_no_caption(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "paper"
    words = [str(finished_run), "width=3.3", "caption=false", "format=pdf,svg,png", f"out={out}"]
    before = {path: path.stat().st_mtime_ns for path in finished_run.rglob("*")}
    assert plot(words) == 0
    assert {path: path.stat().st_mtime_ns for path in finished_run.rglob("*")} == before
    pdf, svg = (out / "figure_3_1.pdf").read_bytes(), (out / "figure_3_1.svg").read_text()
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    (wide,) = re.findall(rb"/MediaBox \[ 0 0 (\S+) ", pdf)
    assert float(wide) == pytest.approx(3.3 * 72, abs=0.1)
    assert "<text" not in svg
    with Image.open(out / "figure_3_1.png") as image:
        assert image.size[0] == 660
    drawn = {path.name: path.read_bytes() for path in out.glob("*.p*")}
    monkeypatch.setattr("fontTools.misc.timeTools.time.time", lambda: 4e9)  # a font is dated when it is embedded
    assert plot(words) == 0
    assert {path.name: path.read_bytes() for path in out.glob("*.p*")} == drawn
    page = (out / "figure_3_1.md").read_text()
    assert "Cosines of uncentred features" in page


def test_a_style_sheet_and_a_matplotlibrc_come_after_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = tmp_path / "paper.mplstyle"
    sheet.write_text("font.size: 7\naxes.grid: False\n")
    with styled():
        ours = mpl.rcParams["font.size"], mpl.rcParams["axes.grid"], mpl.rcParams["pdf.fonttype"]
    with styled(str(sheet)):
        assert (mpl.rcParams["font.size"], mpl.rcParams["axes.grid"]) == (7, False)
        assert mpl.rcParams["pdf.fonttype"] == 42
    assert ours == (9, True, 42)
    with styled(width=3.3):
        scale = font_manager.font_scalings["small"]
        assert mpl.rcParams["xtick.labelsize"] == "small"
        assert mpl.rcParams["font.size"] * scale >= 7
    monkeypatch.chdir(tmp_path)
    Path("matplotlibrc").write_text("lines.linewidth: 3\n")
    with styled():
        assert mpl.rcParams["lines.linewidth"] == 3


def test_any_axis_of_the_grid_can_be_plotted(finished_run: Path, tmp_path: Path) -> None:
    run, out = shutil.copytree(finished_run, tmp_path / "run"), tmp_path / "out"
    for x in ("model.norm", "train.weight_decay"):
        assert plot([str(run), f"x={x}", "metrics=loss,accuracy", "format=svg", f"out={out}"]) == 0
        assert f"over {x}" in (out / f"over_{x.split('.')[-1]}.md").read_text()

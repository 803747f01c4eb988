"""The README's table and the gallery: from a made-up result, and those in git from the results in git."""

import json
import shutil
from pathlib import Path
from typing import Any

import documents
import pytest
from rows import ROWS, name_of

from nc_runner import experiments

ROOT = Path(__file__).parent.parent.parent
RESULTS = sorted((ROOT / "docs" / "results").glob("*.json"))
README = "# Mine\n\n<!-- experiments -->\nold\n<!-- end -->\n\nThe rest.\n"
ROW, OTHER = "ulpm_saddle scale=cpu", "conic_hull"


def claim(verdict: str, **changes: Any) -> dict[str, Any]:
    need = {"name": "seeds", "required": "3 or more", "found": "1", "met": verdict != "undecided"}
    words = {"statement": "|x| falls.", "source": "Eq. 7", "expected": "x < 1", "measured": "x = 0.5", "number": "0.5"}
    return {"id": verdict, "kind": "ours", "short": "|x| falls", **words, "needs": [need], "verdict": verdict} | changes


def result(**changes: Any) -> dict[str, Any]:
    figure = {"file": "ulpm_saddle_escape.png", "caption": "c", "notes": ["λ is |weight decay|."]}
    return {
        "command": "nc-run experiment=ulpm_saddle scale=cpu",
        "title": "ulpm_saddle", "experiment": "ulpm_saddle", "paper": "ji2022", "figure": "2", "summary": "a|b",
        "scale": "cpu", "trials": {"interpolated": 3, "underfit": 1}, "seconds": 600.0, "killed": False,
        "device": "cpu", "processor": "a CPU", "workers": 2, "versions": {"torch": "2"},
        "git": {"commit": "0123456789", "dirty": True},
        "claims": [claim("reproduced"), claim("not reproduced"), claim("undecided")], "figures": [figure],
    } | changes  # fmt: skip


def written(top: Path, **changes: Any) -> tuple[list[str], str]:
    (top / "docs" / "results").mkdir(parents=True, exist_ok=True)
    (top / "docs" / "results" / "ulpm_saddle.json").write_text(json.dumps(result(**changes)))
    (top / "README.md").write_text(README)
    documents.write_documents([OTHER, ROW], top)
    return (top / "README.md").read_text().splitlines(), (top / "docs" / "gallery.md").read_text()


def test_the_table_has_every_row_and_the_rest_stays(tmp_path: Path) -> None:
    readme, _ = written(tmp_path)
    assert readme[:3] == README.splitlines()[:3]
    assert readme[-3:] == README.splitlines()[-3:]
    assert len(readme) == len(README.splitlines()) - 1 + 4
    assert readme[5].startswith("| `conic_hull` | pan2023 | 3.2 | ")
    assert readme[5].endswith(" |  | not run yet |  |")
    expected = "| `ulpm_saddle` | ji2022 | 2 | a\\|b | 4 | 10 min, scale=cpu | 1 of 3 (1 not reproduced, 1 undecided) |"
    assert readme[6] == expected


@pytest.mark.parametrize(
    ("changes", "time"),
    [
        ({"scale": "paper"}, "10 min"),
        ({"killed": True}, "at least 10 min, scale=cpu"),
        ({"seconds": None}, "time not recorded, scale=cpu"),
        ({"workers": 1}, "10 min, scale=cpu, 1 worker"),
        ({"device": "a card", "scale": "paper"}, "10 min, a card"),
    ],
)
def test_the_table_says_where_a_time_is_another_s(tmp_path: Path, changes: dict[str, Any], time: str) -> None:
    readme, _ = written(tmp_path, **changes)
    assert readme[6].split(" | ")[5] == time


def test_the_gallery_has_short_claims_with_what_lacks_and_the_whole_folded(tmp_path: Path) -> None:
    _, gallery = written(tmp_path)
    lines = gallery.splitlines()
    assert "| ✓ | \\|x\\| falls | 0.5 | reproduced |" in lines
    assert "| ✗ | \\|x\\| falls | 0.5 | not reproduced |" in lines
    assert "| ? | \\|x\\| falls | 0.5 | undecided: seeds: needs 3 or more, found 1 |" in lines
    assert "- λ is |weight decay|." in lines
    whole = gallery.split("<summary>The claims in full</summary>")[1]
    for text in ("statement: \\|x\\| falls. [ours]", "source: Eq. 7", "rule: x \\< 1", "measured: x = 0.5"):
        assert whole.count(f"- {text}\n") == 3
    assert "- needs: seeds: 3 or more; found 1 (NOT MET)" in whole
    assert (
        "3 interpolated, 1 underfit; 10 min with 2 workers on a CPU, torch 2, commit 01234567 with changes." in gallery
    )
    assert "![ulpm_saddle: ulpm_saddle_escape](figures/ulpm_saddle_escape.png)" in lines


def test_a_run_without_claims_or_checkout_has_a_section(tmp_path: Path) -> None:
    _, gallery = written(tmp_path, claims=[], figures=[], git=None)
    assert "|---|" not in gallery
    assert gallery.endswith("torch 2.\n")


def test_needs_that_are_met_stand_in_one_line_with_what_was_found() -> None:
    needs = [
        {"name": "seeds", "required": "3 or more", "found": "5", "met": True},
        {"name": "decay times", "required": "10 or more", "found": "2", "met": False},
        {"name": "finished", "required": "all", "found": "9 of 9", "met": True},
    ]
    lines = documents.in_full(claim("undecided", needs=needs)).splitlines()
    assert lines[-2:] == [
        "- needs: decay times: 10 or more; found 2 (NOT MET)",
        "- needs met: seeds (5); finished (9 of 9)",
    ]


def test_a_note_of_several_figures_is_told_under_the_first(tmp_path: Path) -> None:
    notes = (["both", "first"], ["both", "second"], ["both"])
    figures = [{"file": f"{i}.png", "caption": "c", "notes": of} for i, of in enumerate(notes)]
    lines = written(tmp_path, figures=figures)[1].splitlines()
    assert [line for line in lines if line in {"- both", "- first", "- second"}] == ["- both", "- first", "- second"]
    heads = [line for line in lines if "<summary>Notes" in line]
    assert ["beside those above" in head for head in heads] == [False, True]


def test_without_results_both_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(README)
    with pytest.raises(documents.UserError, match="has no result"):
        documents.write_documents([OTHER], tmp_path)
    assert (tmp_path / "README.md").read_text() == README


@pytest.mark.skipif(not RESULTS, reason="no results in git yet")
def test_the_documents_in_git_are_those_of_the_results_in_git(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs" / "results", tmp_path / "docs" / "results")
    shutil.copyfile(ROOT / "README.md", tmp_path / "README.md")
    documents.write_documents(ROWS, tmp_path)
    for name in ("README.md", "docs/gallery.md"):
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), f"{name}: run scripts/reproduce --documents"


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_result_in_git_is_small_and_has_its_row_and_its_figures(path: Path) -> None:
    assert path.stat().st_size < 60_000
    content = json.loads(path.read_text())
    (row,) = [row for row in ROWS if name_of(row) == path.stem]
    assert content["command"] == f"nc-run experiment={row}"
    for figure in content["figures"]:
        assert (ROOT / "docs" / "figures" / figure["file"]).stat().st_size < 300_000


def test_every_figure_in_git_is_of_a_result() -> None:
    shown = {figure["file"] for path in RESULTS for figure in json.loads(path.read_text())["figures"]}
    assert shown == {path.name for path in (ROOT / "docs" / "figures").iterdir()}


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_time_that_nc_run_list_gives_is_that_of_the_result(path: Path) -> None:
    content = json.loads(path.read_text())
    of_two_cores = content["scale"] == "paper" and content["device"] == "cpu"
    if of_two_cores and content["command"].endswith(f"={content['experiment']}"):
        assert experiments.load(content["experiment"]).cost == documents.time_of(content)


def test_the_front_has_a_figure_and_what_was_measured_of_its_question() -> None:
    measured = claim("undecided", id="growth_is_mostly_time_teacher", measured="g grows by |0.4|; 43% of it is time")
    made = result(title="decay_times", claims=[claim("reproduced"), measured])
    first, figure, rest = documents.gallery([result(), made]).removeprefix(documents.HEAD).lstrip().split("\n\n", 2)
    assert first.startswith("**How much of the growth of collapse with weight decay in Figure 3.1 is training time?")
    assert first.endswith(
        "** On the teacher's data g grows by \\|0.4\\|; 43% of it is time ([decay_times](#decay_times))."
    )
    assert figure.endswith("(figures/ulpm_saddle_escape.png)")
    assert rest.startswith("## ulpm_saddle")
    assert documents.front([result()]) == []

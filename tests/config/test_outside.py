"""Experiments of other packages: found, composed and loaded as ours; a broken one is named and breaks no other."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import other_packages
import pytest
import torch

from nc_runner import experiments
from nc_runner.cli.commands import cite
from nc_runner.cli.listing import list_experiments
from nc_runner.cli.mistakes import compose
from nc_runner.config import outside
from nc_runner.config.compose import changed_from_paper, check_scale, experiment_names, known_names
from nc_runner.errors import UserError
from nc_runner.record.provenance import provenance

PAPER = 'Paper("Doe 2027", "On widths", "@article{doe2027}")'
BROKEN = {
    "raises": ({"module": "1 / 0\n"}, "broken.experiment:EXPERIMENT cannot be imported (ZeroDivisionError: "),
    "exits": ({"module": "raise SystemExit\n"}, "broken.experiment:EXPERIMENT cannot be imported (SystemExit: "),
    "half written": ({"module": "def measure(\n"}, "cannot be imported (SyntaxError: "),
    "no record": ({"module": ""}, "cannot be imported (AttributeError: "),
    "no Experiment": ({"module": "EXPERIMENT = 1\n"}, "broken.experiment:EXPERIMENT is no Experiment."),
    "no text": (
        {"module": other_packages.changed('cost="[^"]*"', "cost=5")},
        "cannot be imported (TypeError: cost=5 is no text, ",
    ),
    "no config": ({"yaml": None}, "whose package broken has no conf/experiment/broken.yaml; allowed is"),
    "no YAML": ({"yaml": "a: [1\n"}, "broken.yaml, line 2: "),
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, of which a good one is there."""
    record = 'paper="own",\n    reference=' + PAPER
    module = other_packages.changed("Statement\n", "Statement, Paper\n", other_packages.changed('paper="own"', record))
    other_packages.install(tmp_path, "good", module)
    monkeypatch.syspath_prepend(tmp_path)
    outside.entries.cache_clear()
    yield tmp_path
    outside.entries.cache_clear()
    for name, module in list(sys.modules.items()):  # the next test has another package of that name
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def installed(site: Path, name: str, **content: str | None) -> None:
    other_packages.install(site, name, **content)  # type: ignore[arg-type]
    outside.entries.cache_clear()


def test_its_config_is_composed_with_its_scales(site: Path) -> None:
    config = compose(["experiment=good", "scale=smoke", "train.momentum=0.5"])
    assert config.grid == {"model.width": [32, 64, 128, 256]}
    assert (config.train.weight_decay, config.train.epochs, config.data.samples) == (5e-3, 3, 400)
    check_scale(config)
    assert "train.epochs 3 (300), train.momentum 0.5 (0.9)" in changed_from_paper(config)
    (site / "good" / "conf" / "sizes" / "good" / "smoke.yaml").unlink()
    with pytest.raises(UserError, match=r"^scale=smoke: experiment=good has no sizes.*allowed is paper, cpu, quick\.$"):
        check_scale(config)


def test_it_is_loaded_listed_and_cited_as_ours(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(known_names()) == {*experiment_names(), *outside.entries()} >= {"good", "conic_hull"}
    assert experiments.load("good").headline == ("within_between_trace_ratio",)
    list_experiments(["--json"])
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries.keys() == set(known_names())
    assert (entries["good"]["title"], entries["good"]["bibtex"]) == ("On widths", "@article{doe2027}")
    cite(["good"])
    assert capsys.readouterr().out == "@article{doe2027}\n"
    installed(site, "unpublished")
    list_experiments([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index("Doe 2027: On widths") + 1].startswith("good ")
    with pytest.raises(UserError, match=r"^cite unpublished: its record has no paper"):
        cite(["unpublished"])
    with pytest.raises(UserError, match=r"^experiment=goood: .*did you mean good\?"):
        experiments.load("goood")
    with pytest.raises(UserError, match=r"^experiment=goood: .*did you mean good\?"):
        compose(["experiment=goood"])


def test_provenance_has_the_version_of_what_it_came_with(site: Path) -> None:
    config = compose(["experiment=good"])
    assert provenance(config, {}, [], device=torch.device("cpu"), jobs=1)["versions"]["good"] == "1.5"


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_one_is_named_in_a_sentence_and_breaks_no_other(
    fault: str, site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content, said = BROKEN[fault]
    installed(site, "broken", **content)
    monkeypatch.setattr("nc_runner.experiments.experiment_names", lambda: ["conic_hull"])
    monkeypatch.setattr("nc_runner.config.compose.experiment_names", lambda: ["conic_hull"])
    list_experiments([])
    printed = capsys.readouterr()
    (sentence,) = printed.err.splitlines()
    assert said in sentence
    assert "broken" in sentence
    assert {line.split()[0] for line in printed.out.splitlines() if "NC1" in line or "hull" in line} == {
        "good",
        "conic_hull",
    }
    assert compose(["experiment=conic_hull"]).experiment == "conic_hull"
    assert compose(["experiment=good"]).experiment == "good"
    if "yaml" in content:
        with pytest.raises(UserError, match=r"broken\.yaml"):
            compose(["experiment=broken"])
    else:
        with pytest.raises(UserError, match=r"^experiment=broken: "):
            experiments.load("broken")


@pytest.mark.parametrize("value", ["nowhere.experiment:EXPERIMENT", "", "a b"])
def test_an_entry_point_of_nothing_is_named(value: str, site: Path) -> None:
    """As when a folder was moved after pip install -e."""
    other_packages.enter(site, "moved", value)
    outside.entries.cache_clear()
    with pytest.raises(UserError, match=r"^experiment=moved: moved 1\.5 names it, whose package .*is not there"):
        experiments.load("moved")
    with pytest.raises(UserError, match=r"^experiment=moved: moved 1\.5 names it"):
        compose(["experiment=moved"])
    assert compose(["experiment=good"]).experiment == "good"


def test_where_one_has_the_name_of_ours_ours_it_is(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    installed(site, "conic_hull")
    assert experiments.load("conic_hull").paper == "pan2023"
    assert "model.width" not in compose(["experiment=conic_hull"]).grid
    list_experiments(["--json"])
    assert capsys.readouterr().err == (
        "nc-run: experiment=conic_hull: conic_hull 1.5 has one of that name too, which is not seen; allowed is a name "
        "that is not taken.\n"
    )


def test_of_two_of_one_name_the_first_on_the_path_is_taken(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("before", "after"):
        (site / name).mkdir()
        other_packages.enter(site / name, "good", f"{name}.experiment:EXPERIMENT", of=f"of_{name}")
    monkeypatch.setattr(sys, "path", [str(site), str(site / "after"), *sys.path])
    outside.entries.cache_clear()
    assert outside.entries()["good"].value == "good.experiment:EXPERIMENT"
    monkeypatch.setattr(sys, "path", [str(site / "before"), *sys.path])
    outside.entries.cache_clear()
    assert outside.entries()["good"].value == "before.experiment:EXPERIMENT"

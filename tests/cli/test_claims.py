"""``nc-run claims``: each claim whole, for people and for programs, of this version's runs and of older ones."""

import json
from pathlib import Path

import pytest
from conftest import Cli

from nc_runner.cli.claims import claims
from nc_runner.errors import UserError


def test_every_claim_is_told_whole(cli: Cli, finished_run: Path) -> None:
    done = cli("claims", str(finished_run))
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    for claim in json.loads((finished_run / "claims.json").read_text()):
        assert f"{claim['id']}: {claim['verdict']}" in told
        for words in (claim["statement"], claim["expected"], claim["measured"]):
            assert " ".join(words.split()) in told
        for need in claim["needs"]:
            required = "" if need["required"] == claim["expected"] else f"{need['required']}; "  # the rule stands above
            assert f"{need['name']}: {required}found {need['found']}" in told


def test_json_is_what_the_folder_has(cli: Cli, finished_run: Path) -> None:
    done = cli("claims", str(finished_run), "--json")
    assert json.loads(done.stdout) == json.loads((finished_run / "claims.json").read_text())


def test_an_older_run_s_claims_are_told_as_far_as_they_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = {"id": "a", "paper": "p", "statement": "[s]", "expected": "e", "measured": "m", "verdict": "reproduced"}
    (tmp_path / "claims.json").write_text(json.dumps([old]))
    (tmp_path / "status.json").write_text("{}")
    assert claims([str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert lines == [["a:", "reproduced"], ["statement:", "[s]"], ["rule:", "e"], ["measured:", "m"]]


def test_on_a_terminal_no_word_is_broken(
    finished_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    claims([str(finished_run)])
    whole = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    claims([str(finished_run)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60 < max(map(len, whole.splitlines()))
    assert " ".join(lines).split() == whole.split()
    assert {line[:13].strip() for line in lines if line[:1] == " "} == {
        "", "statement:", "source:", "rule:", "measured:", "needs:"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"), [([], "claims: "), (["a", "b"], "claims: the words a b"), (["nowhere"], "nowhere")]
)
def test_other_words_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        claims(words)


def test_a_run_that_is_not_judged_yet_says_what_would(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{}")
    with pytest.raises(UserError, match=r"has no claims\.json; nc-run plot"):
        claims([str(tmp_path)])

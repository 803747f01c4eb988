"""Sentences on a terminal are broken between words; elsewhere they stay on one line."""

import io

import pytest

from nc_runner.errors import UserError, between_words, refuse

SENTENCE = "model.width=300,400: has several values; allowed is one, or a list, model.width=[300,400], an axis."


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")


def test_a_refusal_on_a_terminal_breaks_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert refuse(UserError(SENTENCE)) == 2
    lines = terminal.getvalue().splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 30
    assert " ".join(lines) == f"nc-run: {SENTENCE}"


def test_elsewhere_a_refusal_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    refuse(UserError(SENTENCE))
    assert capsys.readouterr().err == f"nc-run: {SENTENCE}\n"


def test_lines_hang_and_what_is_longer_than_the_terminal_stays_whole() -> None:
    path = "outputs/bn_wd_sweep/2026-11-26_10-00-00/claims.json"
    wrapped = between_words(f"  rule:   means over seeds rise beyond chance\n{path} well-known", Terminal(), hanging=10)
    assert wrapped.splitlines() == [
        "  rule:   means over seeds",
        "          rise beyond chance",
        path,
        "          well-known",
    ]

"""A person's own YAML: the file is named with its line and what is wrong."""

from pathlib import Path

import pytest

from nc_runner.config.files import check_yaml
from nc_runner.errors import UserError

BAD = {
    "byte order mark": (b"\xef\xbb\xbf# @package _global_\nseeds: 1\n", "byte order mark"),
    "latin-1": (b"seeds: 1\n# caf\xe9\n", "line 2: is not UTF-8"),
    "tab": (b"train:\n\tepochs: 3\n", "line 2: found character"),
    "a key twice": (b"seeds: 1\nprobes: 2\nseeds: 3\n", "line 3: found duplicate key"),
    "no end": (b"grid: {a: [1, 2]\n", "line 2"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_with_line_and_reason(kind: str, tmp_path: Path) -> None:
    content, said = BAD[kind]
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        check_yaml([tmp_path / "absent.yaml", path])
    assert str(refusal.value).startswith(str(path))
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_good_file_passes(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("# é\nseeds: 1\ntrain:\n  epochs: ${seeds}\n", encoding="utf-8")
    check_yaml([tmp_path / "mine.yaml"])

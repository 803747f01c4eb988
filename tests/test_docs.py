"""docs/adding-an-experiment.md shows what `nc-run new` writes; and the README's length."""

import re
from pathlib import Path

from nc_runner.cli.new import written

ROOT = Path(__file__).parent.parent


def test_the_guide_s_files_are_those_that_are_written() -> None:
    guide = (ROOT / "docs" / "adding-an-experiment.md").read_text()
    shown = re.findall(r"^`(\S+)`\n\n```\w+\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    files = {str(path): text for path, text in written("width_sweep").items()}
    assert [(name, text) for name, text in shown] == [
        (name, files[f"src/width_sweep/{name}"])
        for name in (
            "conf/experiment/width_sweep.yaml",
            "conf/sizes/width_sweep/cpu.yaml",
            "conf/sizes/width_sweep/quick.yaml",
            "conf/sizes/width_sweep/smoke.yaml",
            "experiment.py",
        )
    ]
    (entry,) = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    assert entry in files["pyproject.toml"]


def test_the_readme_is_short() -> None:
    """Without its table, which has a row an experiment."""
    text = re.sub(r"<!-- experiments -->.*<!-- end -->", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(text.splitlines()) <= 96

"""Made packages with an experiment, as pip would have installed them."""

import re
import shutil
from pathlib import Path

from nc_runner.cli.new import TEMPLATE

YAML = (TEMPLATE / "src" / "width_sweep" / "conf" / "experiment" / "width_sweep.yaml").read_text()
MODULE = (TEMPLATE / "src" / "width_sweep" / "experiment.py").read_text()


def changed(pattern: str, by: str, module: str = MODULE) -> str:
    """The module with what one pattern matches put otherwise, once."""
    text, times = re.subn(pattern, by, module, count=1)
    assert times, f"{pattern} is not in the template"
    return text


def install(folder: Path, name: str, module: str = MODULE, yaml: str | None = YAML, record: str = "EXPERIMENT") -> None:
    """A package with one experiment of that name; without a config where ``yaml`` is None."""
    package, conf = folder / name, folder / name / "conf"
    shutil.copytree(TEMPLATE / "src" / "width_sweep" / "conf", conf)
    (conf / "experiment" / "width_sweep.yaml").unlink()
    (conf / "sizes" / "width_sweep").rename(conf / "sizes" / name)
    for path in (conf / "sizes" / name).iterdir():
        path.write_text(path.read_text().replace("width_sweep", name))
    if yaml is not None:
        (conf / "experiment" / f"{name}.yaml").write_text(yaml.replace("width_sweep", name))
    (package / "__init__.py").write_text("")
    (package / "experiment.py").write_text(module)
    enter(folder, name, f"{name}.experiment:{record}")


def enter(folder: Path, name: str, value: str, of: str | None = None) -> None:
    """An entry point, whatever it names, of a distribution of the same name or of another."""
    metadata = folder / f"{of or name}-1.5.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {of or name}\nVersion: 1.5\n")
    (metadata / "entry_points.txt").write_text(f"[nc_runner.experiments]\n{name} = {value}\n")

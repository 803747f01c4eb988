"""What git keeps of a finished run: docs/results/NAME.json, and its figures in docs/figures.

Nothing in it names the machine, its folders or its people. README and gallery are made from these files alone.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image
from rows import experiment_of, name_of, title_of, words_of

from nc_runner import experiments
from nc_runner.record.files import write_atomically, write_text
from nc_runner.record.folder import RunFolder
from nc_runner.run.results import read_config

FORMAT = 1
LARGEST = 300_000  # bytes of a figure
COLOURS = (256, 64, 16)  # of a figure; 256 are enough to look at, and a third of the size


def write_result(folder: RunFolder, row: str, docs: Path) -> None:
    """Write a run's figures and then its record; figures that only an older record had are removed."""
    (docs / "results").mkdir(exist_ok=True)
    (docs / "figures").mkdir(exist_ok=True)
    path = docs / "results" / f"{name_of(row)}.json"
    before = read_result(path)["figures"] if path.exists() else []
    drawn = folder.pictures(".png", ".gif")
    figures = [figure(source, docs / "figures" / f"{name_of(row)}_{source.name}") for source in drawn]
    content = record(folder, row) | {"figures": figures}
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    for file in {old["file"] for old in before} - {new["file"] for new in figures}:
        (docs / "figures" / file).unlink(missing_ok=True)


def read_result(path: Path) -> dict[str, Any]:
    """A record as it was written."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def record(folder: RunFolder, row: str) -> dict[str, Any]:
    """What was run, on what, how long, and the claims."""
    experiment = experiments.load(experiment_of(row))
    status, origin = folder.read_status(), folder.read_json("provenance.json")
    return {
        "format": FORMAT,
        "command": " ".join(["nc-run", *words_of(row)]),
        "title": title_of(row),
        "experiment": experiment_of(row),
        "paper": experiment.paper,
        "figure": experiment.figure,
        "summary": experiment.summary,
        "scale": read_config(folder).scale.name,
        "trials": {str(name): int(n) for name, n in folder.read_trials()["status"].value_counts().items()},
        "started": origin["started"],
        "finished": status["finished"],
        "seconds": status.get("seconds"),  # without pauses; a run of an older version does not say
        "killed": status.get("killed", False),
        **{key: origin[key] for key in ("device", "processor", "workers", "threads_per_worker", "matrix_product")},
        "python": origin["python"],
        "versions": {name: origin["versions"][name] for name in ("nc-runner", "torch", "numpy")},
        "git": origin["git"],
        "seeds": origin["seeds"],
        "data_sha256": origin["data_sha256"],
        "claims": folder.read_json("claims.json"),
    }


def figure(source: Path, target: Path) -> dict[str, Any]:
    """Copy a figure, a picture in as many colours as fit; its entry in the record, a movie's without words."""
    content = source.read_bytes() if source.suffix == ".gif" else small(source)
    write_atomically(target, lambda path: path.write_bytes(content))
    page = source.with_suffix(".md")
    lines = page.read_text(encoding="utf-8").splitlines() if page.exists() else []
    return {
        "file": target.name,
        "caption": lines[2] if len(lines) > 2 else "",
        "notes": [line.removeprefix("- ") for line in lines if line.startswith("- ")],
    }


def small(source: Path) -> bytes:
    """A picture as PNG of at most :data:`LARGEST` bytes, or in the fewest colours."""
    picture = Image.open(source).convert("RGB")
    for colours in COLOURS:
        file = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        if file.tell() <= LARGEST:
            break
    return file.getvalue()

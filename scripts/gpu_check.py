"""Checks nc-run on a GPU and measures it, in one command of a few minutes; nothing needs to be installed.

    scripts/gpu_check [--wheels DIR] [--out DIR] [smoke] [bits] [speed] [paper]

It needs a Python with torch and what nc-run imports; what is missing can lie as wheels in DIR. Parts, all by default:

smoke  every experiment at scale=smoke on the GPU and on the CPU: the differences of what they measure;
bits   the same command twice, and after kill -9 and resume: whether tables and weights are equal in every bit;
speed  a trial-step of bn_wd_sweep against a textbook loop, of linear_head_mlp, images a second of ResNets;
paper  bn_wd_sweep at the paper's size, with one seed and with five.

Writes gpu.md and gpu.json to --out (default: here). Exits 2 on a machine without a GPU, and 1 where a check fails.
The parts are in gpu_agreement.py (smoke, bits) and gpu_speed.py (speed, paper).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gpu_agreement import ROOT, bits, smoke
from gpu_speed import paper, speed

PARTS = ("smoke", "bits", "speed", "paper")


def markdown(found: dict[str, Any]) -> str:
    """The results as tables."""

    def table(rows: dict[str, dict[str, Any]]) -> Iterable[str]:
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        yield "| | " + " | ".join(columns) + " |"
        yield "|---|" + "---|" * len(columns)
        for name, row in rows.items():
            yield f"| {name} | " + " | ".join(cell(row.get(column)) for column in columns) + " |"

    def cell(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "NO"
        if isinstance(value, float):
            return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
        return "" if value is None else str(value)

    lines = [f"{found['device']}, torch {found['torch']}, Triton {found['triton']}"]
    titles = {
        "smoke": "scale=smoke, GPU against CPU: relative differences",
        "trial_step_ms": "bn_wd_sweep, ms a trial-step",
        "linear_head_mlp": "linear_head_mlp, five trials",
        "images_a_second": "Images a second",
        "paper": "bn_wd_sweep at the paper's size",
        "bits": "Equal in every bit",
    }
    for name, title in titles.items():
        if name in found:
            rows = found[name]
            nested = all(isinstance(row, dict) for row in rows.values())
            lines += ["", f"### {title}", "", *table(rows if nested else {"": rows})]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--wheels", type=Path, help="folder of wheels of what this machine lacks")
    parser.add_argument("--out", type=Path, default=Path(), help="where gpu.md and gpu.json go")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: allowed are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        paths = [str(ROOT), str(ROOT / "scripts")]
        if asked.wheels:
            install = ["install", "-q", "--no-index", "--no-deps", "--target", str(work / "wheels")]
            wheels = [str(wheel) for wheel in sorted(asked.wheels.glob("*.whl"))]
            subprocess.run([sys.executable, "-m", "pip", *install, *wheels], check=True)
            paths.insert(0, str(work / "wheels"))
        sys.path[:0] = paths
        os.environ["PYTHONPATH"] = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])
        import torch

        if not torch.cuda.is_available():
            print("torch sees no GPU on this machine, so there is nothing to check.")
            return 2
        import triton

        found: dict[str, Any] = {
            "device": torch.cuda.get_device_name(), "torch": torch.__version__, "triton": triton.__version__
        }  # fmt: skip
        for part in asked.parts or PARTS:
            started = time.perf_counter()
            result = {"smoke": smoke, "bits": bits, "paper": paper}[part](work) if part != "speed" else speed()
            found |= result if part == "speed" else {part: result}
            print(f"{part}: {time.perf_counter() - started:.0f} s", flush=True)
            asked.out.mkdir(parents=True, exist_ok=True)
            (asked.out / "gpu.json").write_text(json.dumps(found, indent=2) + "\n")
            (asked.out / "gpu.md").write_text(markdown(found))
        print(markdown(found))
        fine = [row["fine"] for row in found.get("smoke", {}).values()]
        return 0 if all([*fine, *found.get("bits", {}).values()]) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Whether a GPU computes what the CPU does, and twice the same: the parts smoke and bits of scripts/gpu_check.

torch and pandas are imported where they are used: they may lie in the wheels that gpu_check.py installs first.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 10  # runs of scale=smoke


def nc_run(*words: str) -> subprocess.CompletedProcess[str]:
    """The program, in a process of its own."""
    return subprocess.run([sys.executable, "-m", "nc_runner", *words], capture_output=True, text=True)


def smoke(work: Path) -> dict[str, Any]:
    """Every experiment on both devices, and on the CPU in float64, which says how far float32 may be off."""
    names = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))
    ways = {"gpu": ["device=cuda"], "cpu": ["device=cpu"], "exact": ["device=cpu", "train.precision=float64"]}

    def check(name: str) -> dict[str, Any]:
        tables = {}
        for way, words in ways.items():
            folder = work / f"{name}-{way}"
            ended = nc_run(f"experiment={name}", "scale=smoke", *words, f"hydra.run.dir={folder}")
            if ended.returncode:
                return {"fine": False, "failed": f"{way}: {(ended.stdout + ended.stderr).strip().splitlines()[-1:]}"}
            tables[way] = values(folder)
        return compared(tables)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(names, pool.map(check, names), strict=True))


def values(folder: Path) -> Any:
    """What a run measured, by the trial's place, epoch, layer and metric: trials have other ids in float64."""
    import pandas as pd

    places = {name: place for place, name in enumerate(pd.read_csv(folder / "trials.csv")["id"])}
    table = pd.read_parquet(folder / "metrics.parquet")
    keys = [table["trial"].map(places), table["epoch"], table["layer"].fillna(-1), table["metric"]]
    return table.set_index(keys)["value"].sort_index()


def compared(tables: dict[str, Any]) -> dict[str, Any]:
    """Relative differences; fine is the GPU where it is no further from the CPU than ten times float32 from float64."""
    gpu, cpu, exact = tables["gpu"], tables["cpu"], tables["exact"]
    same = gpu.index.equals(cpu.index) and bool((gpu.isna() == cpu.isna()).all())
    found = {"rows": len(gpu), "same rows": same}
    if not same:
        return found | {"fine": False}
    off, usual = (((a - cpu).abs() / cpu.abs()).where(a != cpu, 0.0) for a in (gpu, exact.reindex(cpu.index)))
    found |= {
        "median": float(off.median()),
        "95 %": float(off.quantile(0.95)),
        "float64, median": float(usual.median()),
    }
    return found | {"fine": found["median"] <= max(1e-6, 10 * found["float64, median"])}


def bits(work: Path) -> dict[str, bool]:
    """Whether twice is the same, and kill -9 with resume too."""
    words = ["experiment=bn_wd_sweep", "scale=smoke", "device=cuda", "train.epochs=600", "checkpoint.every_seconds=0.1"]

    def killed(folder: Path) -> None:
        with subprocess.Popen([sys.executable, "-m", "nc_runner", *words, f"hydra.run.dir={folder}"]) as process:
            while process.poll() is None and not list(folder.glob("checkpoints/[!.]*.safetensors")):
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        nc_run("resume", str(folder))

    folders = [work / f"bits-{i}" for i in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda folder: nc_run(*words, f"hydra.run.dir={folder}"), folders[:2]))
        killed(folders[2])
    first, second, resumed = (contents(folder) for folder in folders)
    return {"twice": bool(first) and first == second, "kill -9 and resume": bool(first) and first == resumed}


def contents(folder: Path) -> dict[str, bytes]:
    """What a run computed, byte for byte."""
    paths = [folder / "metrics.parquet", *folder.glob("weights/*.safetensors")]
    return {path.name: path.read_bytes() for path in paths if path.exists()}

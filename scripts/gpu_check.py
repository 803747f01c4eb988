"""Checks nc-run on a GPU and measures it, in one command of a few minutes; nothing needs to be installed.

    scripts/gpu_check [--wheels DIR] [--out DIR] [smoke] [bits] [speed] [paper]

It needs a Python with torch and what nc-run imports; what is missing can lie as wheels in DIR. Parts, all by default:

smoke  every experiment at scale=smoke on the GPU and on the CPU: the differences of what they measure;
bits   the same command twice, and after kill -9 and resume: whether tables and weights are equal in every bit;
speed  a trial-step of bn_wd_sweep against a textbook loop, of linear_head_mlp, images a second of ResNets;
paper  bn_wd_sweep at the paper's size, with one seed and with five.

Writes gpu.md and gpu.json to --out (default: here). Exits 2 on a machine without a GPU, and 1 where a check fails.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("smoke", "bits", "speed", "paper")
AT_ONCE = 10  # runs of scale=smoke
SECONDS = 0.75  # of each timing
DECAYS = "[1e-4,3e-4,5e-4,1e-3,3e-3,5e-3,7e-3,1e-2]"
# Five ReLU layers and four linear ones on inputs of MNIST's size: linear_head_mlp without its images.
HEAD = (
    "seeds=5", "data.dim=784", "data.samples=5420", "model.depth=9", "model.width=64", "model.linear_layers=4",
    "model.bias=false", "model.init=he", "train.loss=mse", "train.learning_rate=1e-3",
    "grid={model.norm:[none],train.weight_decay:[1.8e-3]}",
)  # fmt: skip


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


def speed() -> dict[str, Any]:
    """Milliseconds a trial-step, of a textbook loop and of stacks of 8 and 40; images a second of ResNets."""
    import torch
    from bench_convolution import plain
    from bench_training import textbook

    from nc_runner.cli.mistakes import compose
    from nc_runner.config.choices import MatmulPrecision
    from nc_runner.config.stacks import make_stacks
    from nc_runner.config.trials import make_trials
    from nc_runner.data import load
    from nc_runner.training.sgd import SGD
    from nc_runner.training.stack import prepare_process

    device = torch.device("cuda")
    prepare_process()

    def stack(*words: str) -> list[Any]:
        return make_stacks(make_trials(compose(["experiment=bn_wd_sweep", *words])), cuda=True)[0]

    found: dict[str, Any] = {"trial_step_ms": {}, "linear_head_mlp": {}, "images_a_second": {}}
    for norm in ("affine", "plain", "none"):
        row: dict[str, Any] = {}
        for seeds in (1, 5):
            trials = stack(f"seeds={seeds}", f"grid={{model.norm:[{norm}],train.weight_decay:{DECAYS}}}")
            if seeds == 1:
                row["textbook"] = 1e3 * textbook(trials[0], device)
            training = SGD(trials, *load(trials[0].config.data), device=device)
            row[f"stack of {len(trials)}"] = 1e3 * seconds_a_step([training]) / len(trials)
            row["kernels a step"] = kernels(training)
        found["trial_step_ms"][norm] = row
    trials = stack(*HEAD)
    training = SGD(trials, *load(trials[0].config.data), device=device)
    found["linear_head_mlp"] = {"step_ms": 1e3 * seconds_a_step([training]), "kernels a step": kernels(training)}

    for name, channels in (("resnet20", 16), ("resnet18", 64)):
        base = compose(["data=cifar10", f"model={name}", f"model.channels={channels}", "data.samples=2560"])
        base.train.batch_size = 128
        row = {"plain loop": plain(base, 1)}
        x, y = torch.randn(2560, 3, 32, 32), torch.arange(2560) % 10
        for precision in MatmulPrecision:
            prepare_process(precision)
            trials = make_trials(dataclasses.replace(base, seeds=5))
            networks = [SGD([trial], x, y, device=device) for trial in trials]
            images = networks[0].batch_size
            row[f"{precision.name}, one"] = images / seconds_a_step(networks[:1])
            row[f"{precision.name}, five at once"] = images * 5 / seconds_a_step(networks)
        prepare_process()
        found["images_a_second"][f"{name}, {channels} channels"] = row
    return found


def seconds_a_step(stacks: list[Any]) -> float:
    """Of stacks that train at once, each in a thread with a stream of its own: seconds a step of all of them."""
    import torch

    cuda = stacks[0].device.type == "cuda"
    barrier, rates = threading.Barrier(len(stacks)), [0.0] * len(stacks)

    def train(i: int) -> None:
        with torch.cuda.stream(torch.cuda.Stream()) if cuda else nullcontext():
            for _ in ("warm-up", "timed"):
                barrier.wait()
                started, before = time.perf_counter(), stacks[i].step
                while time.perf_counter() < started + SECONDS:
                    stacks[i].advance()
                    if stacks[i].between_epochs:
                        stacks[i].epoch_loss().tolist()  # as a run does, which waits for the GPU
                stacks[i].epoch_loss().tolist()
                rates[i] = (stacks[i].step - before) / (time.perf_counter() - started)

    with ThreadPoolExecutor(len(stacks)) as pool:
        list(pool.map(train, range(len(stacks))))
    return len(stacks) / sum(rates)


def kernels(training: Any) -> int:
    """How many kernels, copies included, a step takes, of one minibatch."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    batch = training.order[: training.batch_size]
    step: Callable[[Any], None] = training._steps.update
    step(batch)
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        step(batch)
        torch.cuda.synchronize()
    return sum(event.device_type.name == "CUDA" for event in profiled.events())


def paper(work: Path) -> dict[str, Any]:
    """bn_wd_sweep as the paper has it: seconds of training, and from the command to the prompt."""
    found = {}
    for seeds in (1, 5):
        folder, started = work / f"paper-{seeds}", time.perf_counter()
        ended = nc_run("experiment=bn_wd_sweep", f"seeds={seeds}", "device=cuda", f"hydra.run.dir={folder}")
        log = (folder / "nc-run.log").read_text() if folder.exists() else ""
        training = re.search(r"training ended after ([\d.]+) s", log)
        estimated = re.search(r"about (.*)", ended.stdout)
        found[f"{24 * seeds} trials"] = {
            "exit": ended.returncode,
            "training_s": float(training.group(1)) if training else None,
            "all_s": time.perf_counter() - started,
            "estimated": estimated.group(1) if estimated else None,
        }
    return found


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

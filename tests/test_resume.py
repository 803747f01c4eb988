"""kill -9 at ten random moments, resumed each time: the same bits as a run that nothing disturbed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from safetensors.torch import load_file

KILLS = 10
RUN = ("experiment=bn_wd_sweep", "scale=smoke", "jobs=2", "checkpoint.every_seconds=0.2", "train.weight_decay=1e-3")
LONG = ("train.epochs=16000", "probes=30")  # long enough to be killed ten times


def start(words: tuple[str, ...], cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "nc_runner", *words], cwd=cwd, stdout=subprocess.DEVNULL, start_new_session=True
    )


def test_killed_and_resumed_ten_times_ends_in_the_same_bits(tmp_path: Path) -> None:
    moments = random.Random(0)
    disturbed, whole = tmp_path / "disturbed", tmp_path / "whole"
    run, kills = start((*RUN, *LONG, "hydra.run.dir=disturbed"), tmp_path), 0
    while not (disturbed / "provenance.json").exists() and run.poll() is None:
        time.sleep(0.02)
    for _ in range(KILLS):
        time.sleep(moments.uniform(0.1, 5.0))
        if run.poll() is not None:
            break
        os.kill(run.pid, signal.SIGKILL)  # the parent alone: its workers have to notice
        run.wait()
        kills += 1
        run = start(("resume", "disturbed"), tmp_path)
    assert run.wait(timeout=300) == 0
    assert kills == KILLS, f"the run ended after {kills} kills: it is too short"
    assert start((*RUN, *LONG, "hydra.run.dir=whole"), tmp_path).wait(timeout=300) == 0
    for name in ("metrics.parquet", "trials.csv", "claims.json", "figures/figure_3_1.png"):
        assert (disturbed / name).read_bytes() == (whole / name).read_bytes(), name
    for path in (whole / "weights").iterdir():
        first, second = load_file(path), load_file(disturbed / "weights" / path.name)
        assert all(first[name].equal(second[name]) for name in first)
    assert json.loads((disturbed / "status.json").read_text())["state"] == "completed"

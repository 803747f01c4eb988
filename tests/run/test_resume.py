"""kill -9 at ten random moments, resumed each time: the same bits as a run that nothing disturbed."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from conftest import saved_step, wait_until
from safetensors.torch import load_file

KILLS = 10
EPOCHS, STEPS = 6000, 4 * 6000  # long enough that no kill comes too late, on a busy machine too
RUN = ("experiment=bn_wd_sweep", "scale=smoke", "jobs=2", "checkpoint.every_seconds=0.1", "train.weight_decay=1e-3")
LONG = (f"train.epochs={EPOCHS}", "probes=30")


def start(words: tuple[str, ...], cwd: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "nc_runner", *words], cwd=cwd, stdout=subprocess.DEVNULL, start_new_session=True
    )


def test_killed_and_resumed_ten_times_ends_in_the_same_bits(tmp_path: Path) -> None:
    disturbed, whole = tmp_path / "disturbed", tmp_path / "whole"
    moments = sorted(random.Random(0).sample(range(STEPS // 3), KILLS - 1))
    run = start((*RUN, *LONG, "hydra.run.dir=disturbed"), tmp_path)
    wait_until((disturbed / "provenance.json").exists, run)
    for step in [-1, *moments]:  # the first before anything has been saved
        wait_until(lambda step=step: saved_step(disturbed) >= step, run)
        os.kill(run.pid, signal.SIGKILL)  # the parent alone: its workers have to notice
        assert run.wait() == -signal.SIGKILL, "the run ended before it could be killed: it is too short"
        run = start(("resume", "disturbed"), tmp_path)
    assert run.wait() == 0
    assert start((*RUN, *LONG, "hydra.run.dir=whole"), tmp_path).wait() == 0
    for name in ("metrics.parquet", "trials.csv", "claims.json", "figures/figure_3_1.png"):
        assert (disturbed / name).read_bytes() == (whole / name).read_bytes(), name
    for path in (whole / "weights").iterdir():
        first, second = load_file(path), load_file(disturbed / "weights" / path.name)
        assert all(first[name].equal(second[name]) for name in first)
    status = json.loads((disturbed / "status.json").read_text())
    assert (status["state"], status["killed"]) == ("completed", True)

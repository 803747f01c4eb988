"""The scripts, as far as they go without their machines: here, the check of a GPU."""

import subprocess
from pathlib import Path

import pandas as pd
import pytest
import torch
from gpu_agreement import compared
from gpu_check import markdown

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_exits_with_2(tmp_path: Path) -> None:
    ended = subprocess.run(
        [SCRIPTS / "gpu_check", "smoke"], capture_output=True, text=True, cwd=tmp_path, env={"PYTHON": python()}
    )
    assert (ended.returncode, ended.stdout) == (2, "torch sees no GPU on this machine, so there is nothing to check.\n")
    assert not list(tmp_path.iterdir())


def python() -> str:
    import sys

    return sys.executable


@pytest.mark.parametrize(
    ("gpu", "fine"),
    [([1.0, 2.0 + 1e-5, float("nan")], True), ([1.1, 2.2, float("nan")], False), ([1.0, 2.0, 3.0], False)],
)
def test_a_gpu_may_be_as_far_off_as_float32_is(gpu: list[float], fine: bool) -> None:
    cpu, exact = pd.Series([1.0, 2.0, float("nan")]), pd.Series([1.0 + 1e-6, 2.0 + 1e-6, float("nan")])
    assert compared({"gpu": pd.Series(gpu), "cpu": cpu, "exact": exact})["fine"] is fine


def test_the_tables_are_markdown() -> None:
    found = {
        "device": "card", "torch": "2", "triton": "3",
        "bits": {"twice": True, "kill -9 and resume": False},
        "trial_step_ms": {"affine": {"textbook": 4.0, "kernels a step": 30}, "none": {"textbook": 2.5}},
    }  # fmt: skip
    lines = markdown(found).splitlines()
    assert "| affine | 4 | 30 |" in lines
    assert "| none | 2.5 |  |" in lines
    assert "|  | yes | NO |" in lines

"""Steps in few kernels, on a GPU or by Triton's interpreter: each is the plain step within rounding."""

import dataclasses
import os
import subprocess
import sys
from typing import Any

import pytest
import torch

from nc_runner.config.choices import Activation, LossName, ModelName, Norm
from nc_runner.config.schema import Config
from nc_runner.config.trials import make_trials
from nc_runner.data import load
from nc_runner.training import fused
from nc_runner.training.sgd import SGD

pytest.importorskip("triton", reason="needs Triton, which is for Linux alone")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # conftest.py sets it where there is no GPU
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")


def three(config: Config) -> tuple[SGD, SGD, SGD]:
    """The plain step, the fused one, and the plain one in float64."""
    trials, data = make_trials(config), load(config.data)
    plain, short, exact = (
        SGD(trials, *data, device=DEVICE, dtype=dtype) for dtype in (torch.float32, torch.float32, torch.float64)
    )
    for training in (plain, short, exact):
        training._steps, training._steps_at_once = training.update, 1
    step = fused.fused_step(short)
    assert step is not None
    short._steps = step
    return plain, short, exact


def off(training: SGD, exact: SGD) -> float:
    """Largest relative distance of a tensor of the state, in the Euclidean norm."""
    pairs = [(tensor.double(), exact.state()[name].double()) for name, tensor in training.state().items()]
    return max(float((a - b).norm() / b.norm().clamp(min=1e-30)) for a, b in pairs)


CASES: dict[str, dict[str, Any]] = {
    "affine": {"norm": Norm.affine},
    "plain": {"norm": Norm.plain},
    "wide": {"norm": Norm.none, "width": 72},
    "wide, leaky, no bias, MSE": {
        "norm": Norm.none, "width": 72, "activation": Activation.leaky_relu, "bias": False, "loss": LossName.mse,
    },
    "affine, first decay, MSE": {"norm": Norm.affine, "first": True, "loss": LossName.mse},
    "affine, full batch": {"norm": Norm.affine, "batch_size": None},
    "affine, eps and averaging": {"norm": Norm.affine, "batch_norm_eps": 0.1, "batch_norm_momentum": 0.4},
    "narrow": {"norm": Norm.none},
    "narrow, leaky, first decay": {"norm": Norm.none, "activation": Activation.leaky_relu, "first": True},
    "narrow, linear head, MSE": {
        "norm": Norm.none, "linear_layers": 2, "depth": 4, "bias": False, "loss": LossName.mse,
    },
    "narrow, full batch": {"norm": Norm.none, "batch_size": None},
    "one layer": {"norm": Norm.none, "depth": 1},
}  # fmt: skip


def configured(small: Config, case: dict[str, Any]) -> Config:
    """The small config, changed: three trials, of which each number of a trial differs."""
    case = dict(case)
    small.train.loss = case.pop("loss", LossName.cross_entropy)
    small.train.batch_size = case.pop("batch_size", 16)
    keys = "train.weight_decay,train.learning_rate,train.momentum"
    points: list[list[Any]] = [[1e-3, 0.05, 0.9], [3e-2, 0.1, 0.0], [0.0, 0.02, 0.5]]
    if case.pop("first", False):
        keys, points = (
            f"{keys},train.weight_decay_first",
            [[*p, d] for p, d in zip(points, [0.1, 0.0, 0.02], strict=True)],
        )
    small.grid = {keys: points}
    small.model = dataclasses.replace(small.model, **case)
    return small


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fused_step_is_the_plain_step_within_rounding(small: Config, case: str) -> None:
    """Over two epochs with a last partial batch, against float64; a wrong term would be off by 1e-3 and more."""
    plain, short, exact = three(configured(small, CASES[case]))
    assert len(plain.x) % 16
    expected = fused.ChainedStep if case.startswith("narrow") else fused.LayeredStep
    assert type(short._steps) is expected
    while plain.epoch < 2:
        for training in (plain, short, exact):
            training.advance()
    assert torch.equal(short.correct, plain.correct)
    assert off(short, exact) < max(3 * off(plain, exact), 3e-6)


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")  # of the interpreter's numpy
def test_trials_are_alone_in_their_stack(small: Config) -> None:
    """One that diverges changes no bit of its neighbours."""
    for norm in (Norm.affine, Norm.none):
        config = configured(small, {"norm": norm})
        config.grid = {"train.learning_rate": [0.05, 1e25]}
        _, both, _ = three(config)
        config.grid = {"train.learning_rate": [0.05]}
        _, alone, _ = three(config)
        while both.epoch < 2:
            both.advance()
            alone.advance()
        assert not both.network.flat[1].isfinite().all()
        assert torch.equal(both.network.flat[0], alone.network.flat[0])


@pytest.mark.skipif(not INTERPRETED, reason="counts launches of the interpreter")
@pytest.mark.parametrize(("norm", "expected"), [(Norm.affine, 30), (Norm.none, 2)])
def test_kernels_a_step(small: Config, monkeypatch: pytest.MonkeyPatch, norm: Norm, expected: int) -> None:
    """At depth 6: 13 kernels and 17 products with BatchNorm; 2 for narrow networks without. The plain step has 133."""
    _, short, _ = three(configured(small, {"norm": norm, "depth": 6}))
    from triton.runtime.interpreter import GridExecutor

    calls = []
    launch, product = GridExecutor.__call__, torch.bmm
    monkeypatch.setattr(GridExecutor, "__call__", lambda *a, **k: (calls.append("kernel"), launch(*a, **k))[1])
    monkeypatch.setattr(torch, "bmm", lambda *a, **k: (calls.append("product"), product(*a, **k))[1])
    short.advance()
    assert len(calls) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"model.name": ModelName.residual_mlp, "model.norm": Norm.none},
        {"train.batch_size": None, "data.samples": 300, "model.norm": Norm.affine},
        {"train.batch_size": None, "data.samples": 1100, "model.norm": Norm.none},
        {"float64": True},
        {"train.optimizer": "nesterov"},
        {"train.optimizer": "adam"},
        {"train.optimizer": "adamw"},
        {"train.gradient_clip": 1.0},
        {"train.label_smoothing": 0.1},
        {"model.activation": "tanh"},
        {"model.activation": "gelu", "model.norm": Norm.none},
        {"model.norm": Norm.layer},
        {"model.norm_on": [1]},
        {"model.dropout": 0.1},
    ],
    ids=str,
)
def test_where_no_fused_step_applies_there_is_none(small: Config, changes: dict[str, Any]) -> None:
    from nc_runner.config.keys import replace

    dtype = torch.float64 if changes.get("float64") else torch.float32
    config = replace(small, {key: getattr(v, "name", v) for key, v in changes.items() if key != "float64"})
    assert fused.fused_step(SGD(make_trials(config), *load(config.data), device=DEVICE, dtype=dtype)) is None


COMPILE = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from nc_runner.training import chain_kernels, kernels

POINTERS = dict.fromkeys("x flat memory grads z out mean_of inverse_std_of running_mean running_var".split(), "*fp32")
POINTERS |= dict.fromkeys("delta grad_of activated buffer lrs momenta decays into_x".split(), "*fp32")
POINTERS |= dict.fromkeys("y batch layers rights correct into_y".split(), "*i64")
POINTERS |= {"losses": "*fp64", "loss_sum": "*fp64", "tiles": "*i32"}
FLOATS = dict.fromkeys(["slope", "eps", "averaging"], "fp32")
CONSTANTS = {
    "ROWS": 16, "COLUMNS": 256, "M": 64, "N": 16, "K": 16, "W": 16, "CLASSES": 16, "DEPTH": 3, "LINEAR_FROM": 3,
    "IN": 20, "BIAS": True, "NORM": True, "AFFINE": True, "MSE": False, "BATCH": 32, "TILES": 2, "PRECISION": "ieee",
}
for module, name in [(kernels, n) for n in ("gather", "activate", "loss", "backward", "descend")] + [
    (chain_kernels, n) for n in ("chain", "chain_update")
]:
    kernel = getattr(module, name)
    kinds, constants = {}, {}
    for i, argument in enumerate(kernel.arg_names):
        constant = argument.isupper() and argument in CONSTANTS and (argument, name) != ("TILES", "chain")
        if constant:
            constants[(i,)] = 1024 if (name, argument) == ("descend", "N") else CONSTANTS[argument]
        kinds[argument] = "constexpr" if constant else (POINTERS | FLOATS).get(argument, "i32")
    built = triton.compile(ASTSource(kernel, kinds, constants), target=GPUTarget("cuda", int(sys.argv[1]), 32))
    print(name, len(built.asm["cubin"]) > 0)
"""


def test_every_kernel_compiles_for_a_gpu(tmp_path: os.PathLike[str]) -> None:
    """Triton's interpreter runs what its compiler refuses; compiling needs no GPU."""
    environment = os.environ | {"TRITON_CACHE_DIR": str(tmp_path), "TRITON_DEFAULT_FP_FUSION": "1"}
    environment.pop("TRITON_INTERPRET", None)
    ended = subprocess.run(
        [sys.executable, "-c", COMPILE, "90"], capture_output=True, text=True, env=environment, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.split() == [
        word
        for name in ("gather", "activate", "loss", "backward", "descend", "chain", "chain_update")
        for word in (name, "True")
    ]

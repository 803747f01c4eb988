"""A run in a notebook: its tables, claims and weights, of one run, a merge and a multirun."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import Cli

import nc_runner
from nc_runner.errors import UserError

WORDS = ("experiment=bn_wd_sweep", "scale=smoke", "jobs=1", "model.norm=affine", "train.weight_decay=[1e-3]")


def test_a_run_gives_its_tables_claims_and_weights(finished_run: Path) -> None:
    run = nc_runner.open_run(str(finished_run))
    assert len(run.trials) == 24
    assert list(run.metrics) == ["trial", "epoch", "layer", "metric", "value"]
    assert set(run.claims["verdict"]) <= {"reproduced", "not reproduced", "undecided"}
    final = run.final()
    assert len(final) == 24
    trial = run.trials["id"].iloc[3]
    rows = run.metrics.query("trial == @trial and metric == 'min_intra_cosine_uncentred'")
    last = rows.sort_values(["epoch", "layer"])["value"].iloc[-1]
    assert final.set_index("id").loc[trial, "min_intra_cosine_uncentred"] == last
    weights = run.weights(trial)
    assert weights["6.weight"].shape == (4, 32)
    assert all(isinstance(tensor, torch.Tensor) for tensor in weights.values())
    assert run.config.model.depth == 6
    assert len(run.by_epoch()) == 24 * run.metrics["epoch"].nunique()


def test_layers_are_those_measured(smoke_run) -> None:
    run = nc_runner.open_run(smoke_run("depth_minimization"))
    table = run.by_layer("ncc_accuracy")
    assert set(table["layer"]) == set(run.metrics.query("metric == 'ncc_accuracy'")["layer"].dropna())
    assert table.groupby("id")["epoch"].nunique().eq(1).all()
    assert len(run.by_layer("ncc_accuracy", final=False)) > len(table)
    assert {"ncc_accuracy", "min_intra_cosine_uncentred"} <= set(run.by_layer())
    with pytest.raises(UserError, match=r"^nope: is not measured by layer in .*; allowed are .*ncc_accuracy"):
        run.by_layer("nope")


def test_a_merge_and_a_multirun_open_too_and_have_their_metrics_as_a_file(cli: Cli, tmp_path: Path) -> None:
    done = cli("-m", *WORDS, "seeds=[3],[4]", "hydra.sweep.dir=swept")
    assert done.returncode == 0, done.stderr
    jobs = sorted(path.parent for path in (tmp_path / "swept").rglob(".hydra"))
    assert cli("plot", *map(str, jobs)).returncode == 0
    (merged,) = (tmp_path / "outputs" / "bn_wd_sweep").glob("*_merged")
    for top in (tmp_path / "swept", merged):
        run = nc_runner.open_run(top)
        assert sorted(run.trials["seed"]) == [3, 4]
        assert set(run.metrics["trial"]) == set(run.trials["id"])
        pd.testing.assert_frame_equal(pd.read_parquet(top / "metrics.parquet"), run.metrics)
        assert len(run.claims) > 3
        assert all(len(run.weights(trial)) > 5 for trial in run.trials["id"])


def test_what_is_not_there_is_named(finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder"):
        nc_runner.open_run(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is not a run folder"):
        nc_runner.open_run(tmp_path)
    with pytest.raises(UserError, match=r"^nope: is no trial of .*; allowed is one of"):
        nc_runner.open_run(finished_run).weights("nope")
    with pytest.raises(AttributeError, match="'nc_runner' has no attribute 'nope'"):
        getattr(nc_runner, "nope")  # noqa: B009


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, nc_runner; assert not {'torch', 'hydra', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

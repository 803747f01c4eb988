"""The experiment runs, and its claim can be reproduced, not reproduced and undecided."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
from width_sweep.experiment import NC1, claims

from nc_runner.cli.mistakes import compose
from nc_runner.experiments.base import Results, Verdict

FALLING = {32: [0.5, 0.4, 0.6], 64: [0.3, 0.3, 0.4], 128: [0.2, 0.1, 0.2], 256: [0.1, 0.1, 0.1]}


def verdict(nc1: dict[int, list[float]]) -> Verdict:
    """Of a made run in which every network fits its data, with these values of NC1: by width, one a seed."""
    config = compose(["experiment=width_sweep"])
    cells = [(f"{width}-{seed}", width, seed, x) for width, of in nc1.items() for seed, x in enumerate(of)]
    table = pd.DataFrame(cells, columns=["id", "model.width", "seed", "value"])
    trials = table.assign(status="interpolated", epochs=config.train.epochs, loss=0.01, accuracy=1.0)
    metrics = table.rename(columns={"id": "trial"}).assign(epoch=config.train.epochs, layer=5, metric=NC1)
    (claim,) = claims(Results(config, trials.drop(columns="value"), metrics))
    return claim.verdict


def test_the_claim_holds_where_nc1_falls_in_every_seed() -> None:
    assert verdict(FALLING) is Verdict.reproduced


def test_it_fails_where_nc1_grows_in_one_seed() -> None:
    assert verdict(FALLING | {256: [0.1, 0.1, 0.9]}) is Verdict.not_reproduced


def test_it_is_undecided_with_fewer_seeds_or_without_a_width() -> None:
    assert verdict({width: of[:2] for width, of in FALLING.items()}) is Verdict.undecided
    assert verdict({width: of for width, of in FALLING.items() if width != 64}) is Verdict.undecided


def test_it_runs(tmp_path: Path) -> None:
    words = ["experiment=width_sweep", "scale=smoke", "jobs=1", "hydra.run.dir=run"]
    subprocess.run([sys.executable, "-m", "nc_runner", *words], cwd=tmp_path, check=True)
    assert (tmp_path / "run" / "claims.json").exists()
    assert (tmp_path / "run" / "figures" / "nc1_against_width.png").exists()

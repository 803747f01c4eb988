"""A network of one's own through the whole program, in an experiment of another package that says it takes any."""

import os
import shutil
from pathlib import Path

import other_packages
import pandas as pd
import pytest
from conftest import nc_run
from safetensors import safe_open
from tables import make_results

import nc_runner
from nc_runner.cli.mistakes import compose
from nc_runner.config.check import check
from nc_runner.config.stacks import make_stacks
from nc_runner.config.trials import make_trials
from nc_runner.errors import UserError
from nc_runner.experiments.needs import plain_network
from nc_runner.run.plan import make_plan

ROOT = Path(nc_runner.__file__).parent.parent
OWN = ["data.dim=5", "data.classes=3", "model=own", "model._target_=own_networks.Plain", "model.args={width:6}"]
RANK_TCV = [
    "experiment=rank_tcv",
    "scale=smoke",
    "data.samples=21",
    "data.classes=3",
    "model.depth=1",
    "model.norm=none",
]
MISTAKES = {
    "no name": (["model=own"], r"^model\._target_=None: model\.name=own needs it"),
    "a name for another": (["model._target_=a.B"], r"^model\._target_=a\.B: model\.name=mlp has none"),
    "arguments for another": (["model.args={a:1}"], r"^model\.args=\{'a': 1\}: model\.name=mlp has none"),
    "depth": ([*OWN, "model.depth=3"], r"^model\.depth=3: model\.name=own is as its class makes it; allowed is 1\."),
    "norm": ([*OWN, "model.norm=layer"], r"^model\.norm=layer: .*; allowed is none\."),
    "a decay of the first layer": ([*OWN, "train.weight_decay_first=0.1"], r"^train\.weight_decay_first=0\.1: "),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence(mistake: str) -> None:
    words, said = MISTAKES[mistake]
    with pytest.raises(UserError, match=said):
        check(compose([*RANK_TCV, *words]))


def test_a_grid_cannot_vary_what_is_not_its_network_s_and_experiments_of_ours_refuse_it() -> None:
    words = [*RANK_TCV, *OWN]
    config = compose([*words, "model.width=[5,6]"])
    with pytest.raises(UserError, match=r"^grid: model\.width is varied, and model\.name=own is as its class makes it"):
        make_trials(config)
    with pytest.raises(UserError, match=r"^model\.name=own: experiment=rank_tcv measures .* any_network=True\.$"):
        make_plan(compose(words))
    own, ours = (make_trials(compose(of))[0].keys for of in (words, RANK_TCV))
    assert (own["model._target_"], own["model.args"]) == ("own_networks.Plain", {"width": 6})
    assert not {"model._target_", "model.args"} & ours.keys()


@pytest.mark.parametrize("cuda", [True, False])
def test_each_trains_alone(cuda: bool) -> None:
    trials = make_trials(compose([*RANK_TCV, *OWN, "model.width=4", "seeds=3"]))
    assert [len(stack) for stack in make_stacks(trials, cuda=cuda)] == [1] * len(trials)


def test_it_is_trained_measured_and_saved(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    module = other_packages.MODULE.replace("    headline=", "    any_network=True,\n    headline=")
    yaml = other_packages.YAML.replace("model.width: [32, 64, 128, 256]", "train.weight_decay: [1e-3, 1e-2]")
    other_packages.install(site, "decays", module.replace("model.width", "train.weight_decay"), yaml)
    shutil.copy(ROOT / "tests" / "own_networks.py", site)
    path = os.pathsep.join([str(ROOT), str(site)])
    words = ["experiment=decays", "scale=smoke", "jobs=1", "hydra.run.dir=run", *OWN]
    done = nc_run(*words, cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    trials = pd.read_csv(tmp_path / "run" / "trials.csv")
    assert trials["train.weight_decay"].tolist() == [1e-3, 1e-2]
    assert trials["within_between_trace_ratio"].notna().all()
    with safe_open(tmp_path / "run" / "weights" / f"{trials['id'][0]}.safetensors", framework="pt") as file:
        assert set(file.keys()) >= {"backbone.first.weight", "backbone.first.bias", "1.weight", "1.bias"}
        assert file.get_tensor("1.weight").shape == (3, 6)
    refused = nc_run(*words, "model.args={width:x}", cwd=tmp_path, PYTHONPATH=path)
    assert refused.returncode == 2
    assert "model._target_=own_networks.Plain: cannot be made with model.args={'width': 'x'}" in refused.stderr
    assert not (tmp_path / "run_2").exists()


def test_it_is_no_network_of_the_theory() -> None:
    words = RANK_TCV
    ours, own = compose(words), compose([*words, *OWN])
    assert plain_network(make_results(ours, [], [], [])).met
    need = plain_network(make_results(own, [], [], []))
    assert (need.met, need.found) == (False, "model.name=own")

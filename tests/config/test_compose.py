import math
import shutil
from pathlib import Path

import pytest
from hydra import initialize_config_dir

from nc_runner.cli.mistakes import compose
from nc_runner.config.compose import SCALES, changed_from_paper, check_scale, conf_dir, experiment_names
from nc_runner.config.schema import Config
from nc_runner.errors import UserError


def changed(*words: str) -> str:
    return changed_from_paper(compose(["experiment=rank_tcv", *words]))


CHANGED = "Changed from scale=paper, whose values are in brackets: "


def test_what_was_changed_from_the_paper_is_named_with_what_it_was() -> None:
    assert changed() == "Sizes of scale=paper."
    assert changed_from_paper(Config()) == ""
    assert changed("scale=smoke", "train.momentum=0.5", "seeds=[4,5]") == (
        f"{CHANGED}seeds 2 (3), data.samples 20 (100), model.width 16 (128), train.epochs 50 (120000), "
        "train.momentum 0.5 (0.9)."
    )


def test_the_data_set_and_the_kind_of_network_are_no_change() -> None:
    assert changed("data=mnist", "data.per_class=7") == f"{CHANGED}data.per_class 7 (null)."


def test_of_a_key_that_varies_all_values_are_compared() -> None:
    assert changed("grid={data.sigma:[1.0,2.0]}") == f"{CHANGED}data.sigma [1, 2] ([0, ..., 1.5])."
    said = changed_from_paper(compose(["experiment=near_optimal", "scale=quick"]))
    assert "train.epochs [100, 20000] ([300, 100000])" in said
    assert "data.samples [80, 2000] ([80, 10000])" in said
    assert "mlp" not in said
    fewer = changed_from_paper(compose(["experiment=linear_head_depth_resnet", "scale=quick"]))
    assert "model.depth [2, 7] ([2, ..., 7])" in fewer


def test_what_the_trials_were_counts_and_not_what_the_grid_says() -> None:
    """An override replaces an axis; merged runs have others."""
    config = compose(["experiment=bn_wd_sweep", "model.norm=affine"])
    trials = {"seed": [0] * 8, "model.norm": ["affine"] * 8, "train.weight_decay": config.grid["train.weight_decay"]}
    assert changed_from_paper(config, trials) == f"{CHANGED}seeds 1 (3), model.norm affine ([affine, none, plain])."
    more = {**trials, "seed": [0, 1, 2, 3], "train.epochs": [300, 2], "model.norm": ["affine", "plain", "none"]}
    assert changed_from_paper(config, more) == f"{CHANGED}seeds 4 (3), train.epochs [2, 300] (300)."
    saddle = compose(["experiment=ulpm_saddle"])
    ranks = {"seed": list(range(10)), "model.start_rank": [math.nan, 1.0, 2.0, 3.0]}  # null, in a table
    assert "start_rank" not in changed_from_paper(saddle, ranks)


def test_within_a_run_too_where_hydra_is_in_charge_already() -> None:
    config = compose(["experiment=rank_tcv", "scale=quick"])
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        within = changed_from_paper(config)
    assert within == changed_from_paper(config)
    assert "data.samples 40 (100)" in within


@pytest.mark.parametrize("name", experiment_names())
@pytest.mark.parametrize("scale", SCALES[1:])
def test_every_experiment_has_sizes_at_every_scale(name: str, scale: str) -> None:
    """Where a file is missing Hydra passes over it, and a quick run would take the paper's hours."""
    check_scale(compose([f"experiment={name}", f"scale={scale}"]))


def test_a_scale_without_sizes_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(conf_dir(), tmp_path / "conf")
    monkeypatch.setattr("nc_runner.config.compose.conf_dir", lambda: tmp_path / "conf")
    (tmp_path / "conf" / "sizes" / "conic_hull" / "quick.yaml").unlink()
    config = compose(["experiment=conic_hull", "scale=quick"])
    with pytest.raises(UserError, match=r"^scale=quick: .*conic_hull has no sizes.*allowed is paper, cpu, smoke\.$"):
        check_scale(config)
    check_scale(compose(["experiment=conic_hull"]))


def test_a_smaller_scale_builds_on_the_next_larger_one() -> None:
    cpu, quick, smoke = (
        compose(["experiment=linear_head_mlp", f"scale={scale}"]) for scale in ("cpu", "quick", "smoke")
    )
    assert [c.train.learning_rate for c in (cpu, quick, smoke)] == [1e-2] * 3
    assert [c.train.weight_decay for c in (cpu, quick, smoke)] == [1.8e-3, 3.6e-3, 3.6e-3]


def test_a_data_set_brings_its_own_largest_subset_until_a_scale_or_a_person_says_otherwise() -> None:
    resnet = "experiment=linear_head_depth_resnet"
    assert compose([resnet]).data.per_class == 5000
    assert compose([resnet, "data=mnist"]).data.per_class == 5421
    assert compose([resnet, "data=mnist", "scale=cpu"]).data.per_class == 32
    assert compose([resnet, "data=mnist", "data.per_class=7"]).data.per_class == 7
    assert compose(["experiment=linear_head_depth", "data=digits"]).data.per_class == 174

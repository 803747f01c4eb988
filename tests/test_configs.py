import pytest
from hydra import initialize_config_dir

from nc_runner.commands import compose
from nc_runner.config import Config
from nc_runner.configs import case, changed_from_paper, conf_dir
from nc_runner.errors import UserError


def changed(*words: str) -> str:
    return changed_from_paper(compose(["experiment=rank_tcv", *words]))


def test_what_was_changed_from_the_paper_is_named_with_what_it_was() -> None:
    assert changed() == "Sizes of scale=paper."
    assert changed_from_paper(Config()) == ""
    assert changed("scale=smoke", "train.momentum=0.5", "seeds=[4,5]") == (
        "Changed from scale=paper: seeds [4, 5] (1), data.samples 20 (200), model.width 16 (64), "
        "train.epochs 50 (20000), train.momentum 0.5 (0.9)."
    )


def test_the_data_set_and_the_kind_of_network_are_no_change() -> None:
    assert changed("data=mnist", "data.per_class=7") == "Changed from scale=paper: data.per_class 7 (null)."


def test_axes_are_compared_whole() -> None:
    assert changed("grid={data.sigma:[1.0,2.0]}") == ("Changed from scale=paper: data.sigma [1, 2] ([0, ..., 1.5]).")
    assert "data.sigma 3 ([0, ..., 1.5])" in changed("data.sigma=3")


def test_within_a_run_too_where_hydra_is_in_charge_already() -> None:
    config = compose(["experiment=rank_tcv", "scale=quick"])
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        within = changed_from_paper(config)
    assert within == changed_from_paper(config)
    assert "data.samples 100 (200)" in within


def test_what_goes_with_another_key_is_chosen_by_it() -> None:
    assert case(Config().model.name, {"mlp": 3, "resnet20": 4}) == 3
    with pytest.raises(ValueError, match=r"mlp: this experiment has no sizes for it; allowed are resnet20$"):
        case("mlp", {"resnet20": 4})


def test_a_network_an_experiment_has_no_sizes_for_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match=r"^vgg13: this experiment has no sizes for it; allowed are mlp, resnet20\.$"):
        compose(["experiment=linear_head_depth", "model=vgg13"])

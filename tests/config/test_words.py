"""The command line's words: what Hydra's grammar cannot read is told by the word, and the axes of a grid are open."""

import pytest

from nc_runner.cli.mistakes import compose
from nc_runner.config.keys import overridden_keys
from nc_runner.config.trials import make_trials
from nc_runner.config.words import readable
from nc_runner.errors import UserError

BN = "experiment=bn_wd_sweep"


@pytest.mark.parametrize(
    "word",
    ["train.epochs=3\r", "train.epochs==3", "train.epochs=[1", "a b=3", "data.path=x=y", "=3", "quick", "seeds=[1,2"],
)
def test_a_word_that_cannot_be_read_is_named_with_how_to_write_it(word: str) -> None:
    with pytest.raises(UserError) as refusal:
        readable([BN, word])
    sentence = str(refusal.value)
    assert sentence.startswith(repr(word))
    assert "allowed is" in sentence
    assert "\n" not in sentence
    assert not any(name in sentence for name in ("Lexer", "viable", "hydra.cc"))


def test_several_values_belong_to_a_multirun() -> None:
    with pytest.raises(
        UserError, match=r"^model\.width=300,400: has several values; .*, model\.width=\[300,400\], .* axis .*-m .*job"
    ):
        readable([BN, "model.width=300,400"])
    assert readable([BN, "model.width=300,400"], several=True) == [BN, "model.width=300,400"]


@pytest.mark.parametrize("word", ["data.path='x=y'", "data.path='a, b'", "data.path=x y", "+train.x=1", "seeds=[1,2]"])
def test_words_that_can_be_read_stay_as_they_are(word: str) -> None:
    assert readable([word]) == [word]


def test_a_list_for_a_key_that_takes_one_value_is_an_axis() -> None:
    assert readable(["model.width=[100,200]"]) == ["++grid={model.width:[100,200]}"]
    assert readable(readable(["model.norm=[affine,none]"])) == ["++grid={model.norm:[affine,none]}"]
    config = compose([BN, "train.weight_decay=[1e-3,2e-3]", "model.norm=[none]", "model.width=[8,9]", "seeds=[3,4]"])
    assert config.grid == {"train.weight_decay": [1e-3, 2e-3], "model.norm": ["none"], "model.width": [8, 9]}
    assert config.seed_list == [3, 4]
    trials = make_trials(config, overridden_keys(readable(["model.norm=[none]"])))
    found = {(t.config.train.weight_decay, t.config.model.norm.name, t.config.model.width) for t in trials}
    assert found == {(decay, "none", width) for decay in (1e-3, 2e-3) for width in (8, 9)}
    assert len(trials) == 8
    assert compose([BN, "train.lr_milestones=[0.5]"]).train.lr_milestones == [0.5]


def test_a_list_for_a_group_of_files_is_refused() -> None:
    with pytest.raises(UserError, match=r"^data=\[mnist,digits\]: is a list, .*-m data=mnist,digits"):
        readable([BN, "data=[mnist,digits]"])


def test_a_grid_may_have_an_axis_that_the_experiment_has_not() -> None:
    config = compose([BN, "grid={train.weight_decay:[1e-3],data.dim:[8,16]}"])
    assert config.grid["data.dim"] == [8, 16]
    assert config.grid["train.weight_decay"] == [1e-3]
    assert config.grid["model.norm"] == ["affine", "plain", "none"]
    assert readable(readable(["grid={data.dim:[8]}"])) == ["++grid={data.dim:[8]}"]


def test_nothing_of_the_config_is_left_out_and_a_scale_is_set_by_its_name() -> None:
    with pytest.raises(UserError, match=r"^'~grid': is not of the form"):
        readable([BN, "~grid"])
    with pytest.raises(UserError, match=r"^scale\.name=quick: .*allowed is scale=quick\.$"):
        readable([BN, "scale.name=quick"])


@pytest.mark.parametrize("word", ["grid=3", "grid={a:b}"])
def test_what_cannot_be_merged_is_named(word: str) -> None:
    with pytest.raises(UserError) as refusal:
        compose([BN, word])
    assert str(refusal.value).startswith(word)

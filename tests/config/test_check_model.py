"""What a residual network, a layer-peeled model and convolutional networks cannot do is refused."""

import pytest

from nc_runner.config.check import check
from nc_runner.config.keys import replace
from nc_runner.config.schema import Config
from nc_runner.errors import UserError


def test_a_residual_network_refuses_batch_norm_and_less_than_two_layers() -> None:
    residual = {"model.name": "residual_mlp", "model.norm": "none", "train.loss": "mse", "train.batch_size": 99}
    check(replace(Config(), residual))
    for norm in ("affine", "plain"):
        with pytest.raises(UserError, match=rf"^model\.norm={norm}: model\.name=residual_mlp .*; allowed is none\.$"):
            check(replace(Config(), residual | {"model.norm": norm}))
    with pytest.raises(UserError, match=r"^model\.depth=1: .*; allowed is at least 2\.$"):
        check(replace(Config(), residual | {"model.depth": 1}))


PEELED = {
    "data.name": "balanced", "data.samples": 40, "model.name": "ulpm", "train.batch_size": None,
    "train.method": "flow", "train.weight_decay": 0.0, "train.momentum": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.name": "mlp"}, r"train\.method=flow: allowed with model\.name=ulpm; mlp takes sgd"),
        ({"data.name": "teacher"}, r"data\.name=teacher: .*allowed is balanced"),
        ({"train.weight_decay": 0.1}, r"train\.weight_decay=0\.1: train\.method=flow has none; allowed is 0"),
        ({"train.weight_decay_first": 0.1}, r"train\.weight_decay_first=0\.1: .*allowed is 0"),
        ({"train.method": "gd", "train.momentum": 0.5}, r"train\.momentum=0\.5: train\.method=gd has none"),
        ({"train.warmup": 5}, r"train\.warmup=5: train\.method=gd alone"),
        ({"model.start": "saddle"}, r"model\.start=saddle: .*data\.classes=4 and data\.samples=4, not 4 and 40"),
        ({"model.start": "simplex", "model.width": 3}, r"model\.width=3: .*at least data\.classes=4"),
        ({"flow.clock": "t"}, r"flow\.log_time=1e\+06: with flow\.clock=t allowed is at most 700"),
        (
            {"flow.solver": "LSODA", "model.width": 5000},
            r"model\.width=5000: .* GiB; allowed is 8 GiB, or flow.solver=BDF",
        ),
        ({"model.width": 50_000}, r"model\.width=50000: .* GiB; allowed is 8 GiB, so a smaller width"),
        ({"flow.rtol": 0.0}, r"flow\.rtol=0\.0: .*at least 1e-13"),
        ({"flow.log_time": 0.0}, r"flow\.log_time=0\.0: .*more than 0"),
    ],
)
def test_what_the_layer_peeled_model_cannot_do_is_refused(changes: dict[str, object], message: str) -> None:
    check(replace(Config(), PEELED))
    with pytest.raises(UserError, match=message):
        check(replace(Config(), PEELED | changes))


def test_ten_classes_of_a_hundred_in_64_dimensions_fit() -> None:
    check(replace(Config(), PEELED | {"data.classes": 10, "data.samples": 1000, "model.width": 64}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.name": "teacher"}, r"data\.name=teacher: model\.name=vgg13 sees images; allowed are cifar10, digits"),
        ({"model.norm": "none"}, r"model\.norm=none: .*allowed is affine"),
        ({"model.linear_layers": 2}, r"model\.linear_layers=2: allowed is at most model\.depth=1"),
        ({"train.weight_decay_first": 0.5}, r"train\.weight_decay_first=0\.5: .*allowed is null"),
        ({"train.batch_size": 11}, r"train\.batch_size=11: leaves a batch of one"),
    ],
)
def test_what_convolutional_networks_cannot_do_is_refused(changes: dict[str, object], message: str) -> None:
    vgg13 = {"model.name": "vgg13", "model.depth": 1, "data.name": "digits", "data.samples": 100}
    check(replace(Config(), vgg13))
    with pytest.raises(UserError, match=message):
        check(replace(Config(), vgg13 | changes))

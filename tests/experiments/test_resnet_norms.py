import matplotlib.pyplot as plt
import pytest
from tables import make_results

from nc_runner.choices import DataName, LossName, ModelName, Norm
from nc_runner.config import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.resnet_norms import check, claims, draw, predicted

MODEL = {"name": ModelName.residual_mlp, "norm": Norm.none, "bias": False}
CONFIG = Config(
    data=DataConfig(name=DataName.gaussian_mixture, classes=3, sigma=0.0),
    model=ModelConfig(**MODEL, depth=5),  # type: ignore[arg-type]
    train=TrainConfig(loss=LossName.mse, weight_decay=1e-3, weight_decay_first=1e-3),
)


def results(*, block: float = 1.0, all_linear: float = 1.0) -> Results:
    """Norms at the optimum; block 2 times ``block``, everything of linear networks times ``all_linear``."""
    trials, rows = [], []
    for activation in ("linear", "relu"):
        for first in (1e-2, 1e-3):
            name = f"{activation}-{first}"
            trials.append([name, "interpolated", 0, activation, first, 9, 0.1, 1.0])
            for epoch in (1, 9):
                for layer, norm in predicted(CONFIG, first).items():
                    factor = (block if layer == 3 else 1.0) * (all_linear if activation == "linear" else 1.0)
                    rows.append([name, epoch, layer, "weight_norm", norm * factor])
    return make_results(CONFIG, ["model.activation", "train.weight_decay_first"], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_all_hold_at_the_optimum() -> None:
    assert set(verdicts(results()).values()) == {Verdict.reproduced}


def test_each_can_fail() -> None:
    unequal = verdicts(results(block=1.02))
    assert unequal["linear_blocks_equal"] is unequal["relu_blocks_equal"] is Verdict.not_reproduced
    off = verdicts(results(all_linear=1.002))
    assert off["linear_agrees"] is Verdict.not_reproduced
    assert off["linear_blocks_equal"] is Verdict.reproduced


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": ModelConfig(norm=Norm.none, bias=False)}, r"model\.name=mlp: .*allowed is residual_mlp"),
        ({"model": ModelConfig(**MODEL, depth=2)}, r"model\.depth=2: allowed is at least 3"),  # type: ignore[arg-type]
        ({"train": TrainConfig(loss=LossName.mse, weight_decay_first=0.0)}, r"weight_decay_first=0\.0: .*more than 0"),
        ({"train": TrainConfig()}, r"train\.loss=cross_entropy: .*allowed is mse"),
        ({"model": ModelConfig()}, r"model\.norm=affine: .*allowed is none"),
        ({"model": ModelConfig(norm=Norm.none)}, r"model\.bias=true: .*allowed is false"),
        ({"model": ModelConfig(name=ModelName.ulpm)}, r"model\.name=ulpm: .*allowed are mlp and residual_mlp"),
        ({"data": DataConfig(name=DataName.gaussian_mixture, sigma=0.5)}, r"data\.sigma=0\.5.*allowed are"),
    ],
)
def test_what_has_no_optimum_is_refused(changes: dict[str, object], message: str) -> None:
    check(CONFIG)
    with pytest.raises(UserError, match=message):
        check(Config(**{"data": CONFIG.data, "model": CONFIG.model, "train": CONFIG.train, **changes}))  # type: ignore[arg-type]


def test_it_draws() -> None:
    for figure in draw(results()).values():
        figure.canvas.draw()
        plt.close(figure)

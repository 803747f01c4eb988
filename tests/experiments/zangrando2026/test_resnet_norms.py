import matplotlib.pyplot as plt
import numpy as np
import pytest
from tables import make_results

from nc_runner.config.choices import DataName, LossName, ModelName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.resnet_norms.claims import claims, predicted
from nc_runner.experiments.zangrando2026.resnet_norms.figures import figures
from nc_runner.experiments.zangrando2026.resnet_norms.measure import check
from nc_runner.figures.drawing import CAPTION_LINES, add_caption

MODEL = {"name": ModelName.residual_mlp, "norm": Norm.none, "bias": False}
CONFIG = Config(
    data=DataConfig(name=DataName.gaussian_mixture, classes=3, sigma=0.0),
    model=ModelConfig(**MODEL, depth=5),  # type: ignore[arg-type]
    train=TrainConfig(loss=LossName.mse, weight_decay=1e-3, weight_decay_first=1e-3),
)


def results(*, block: float = 1.0, all_linear: float = 1.0, status: str = "interpolated") -> Results:
    """Norms at the optimum; block 2 times ``block``, everything of linear networks times ``all_linear``."""
    trials, rows = [], []
    for activation in ("linear", "relu"):
        for first in (1e-2, 1e-3):
            name = f"{activation}-{first}"
            trials.append([name, status, 0, activation, first, 9, 0.1, 1.0])
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


def test_norms_and_the_optimum_are_plotted() -> None:
    drawing = figures(results(block=1.5))["figure_4"]
    axes = np.array(drawing.figure.axes).reshape(2, 2)
    assert [ax.get_title() for ax in axes[0]] == ["δ = 10", "δ = 1"]
    for of_row in axes:
        for ax, first in zip(of_row, (1e-2, 1e-3), strict=True):
            optimum = predicted(CONFIG, first)
            solid = {line.get_label(): line for line in ax.lines[:5]}
            assert sorted(solid) == ["block 1", "block 2", "block 3", "first layer", "head"]
            for name, layer in (("first layer", 1), ("block 1", 2), ("block 2", 3), ("block 3", 4), ("head", 5)):
                assert solid[name].get_xdata().tolist() == [1, 9]
                np.testing.assert_allclose(solid[name].get_ydata(), optimum[layer] * (1.5 if layer == 3 else 1.0))
            dashed = [line.get_ydata()[0] for line in ax.lines[5:]]
            assert sorted(dashed) == sorted(optimum.values())
    named = [text.get_text() for legend in drawing.figure.legends for text in legend.get_texts()]
    assert named[-3:] == ["optimum, first layer", "optimum, blocks", "optimum, head"]
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_no_line_is_cut_off() -> None:
    drawing = figures(results(all_linear=0.1))["figure_4"]
    for ax in drawing.figure.axes:
        assert ax.get_ylim()[0] == 0
        assert max(max(line.get_ydata()) for line in ax.lines) < ax.get_ylim()[1]
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_nothing_finished_decides_nothing_and_is_said() -> None:
    assert set(verdicts(results(status="diverged")).values()) == {Verdict.undecided}
    drawing = figures(results(status="diverged"))["figure_4"]
    assert [ax.texts[0].get_text() for ax in drawing.figure.axes] == ["no finished network"] * 4
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)

import dataclasses
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from nonsense import (
    assert_nan_decides_nothing,
    assert_nonsense_changes_nothing,
    assert_order_changes_nothing,
    assert_refused_and_passed_rarely,
    by_id,
    verdicts,
    without_needs,
)
from tables import make_results

from nc_runner.config.choices import DataName, LossName, ModelName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.resnet_norms import EXPERIMENT
from nc_runner.experiments.zangrando2026.resnet_norms import claims as module
from nc_runner.experiments.zangrando2026.resnet_norms.claims import predicted
from nc_runner.experiments.zangrando2026.resnet_norms.figures import figures
from nc_runner.experiments.zangrando2026.resnet_norms.measure import check
from nc_runner.figures.drawing import CAPTION_LINES
from nc_runner.figures.fit import fit

MODEL = {"name": ModelName.residual_mlp, "norm": Norm.none, "bias": False}
FIRSTS = (2e-1, 2e-2)
CONFIG = Config(
    data=DataConfig(name=DataName.gaussian_mixture, samples=3, dim=3, classes=3, sigma=0.0),
    model=ModelConfig(**MODEL, depth=6, width=8),  # type: ignore[arg-type]
    train=TrainConfig(
        loss=LossName.mse, epochs=100, learning_rate=1.0, weight_decay=2e-2, weight_decay_first=2e-2, lr_milestones=[],
        batch_size=None,
    ),
    grid={"model.activation": ["linear", "relu"], "train.weight_decay_first": list(FIRSTS)},
)  # fmt: skip
REPRODUCED, REFUSED, UNDECIDED = Verdict.reproduced, Verdict.not_reproduced, Verdict.undecided


def results(
    *,
    blocks: dict[str, float] | None = None,
    all_linear: float = 1.0,
    head: float = 1.0,
    early: float = 1.0,
    status: str = "interpolated",
    seeds: int = 3,
    gradient: float = 1e-3,
    epochs: int = 100,
    firsts: tuple[float, ...] = FIRSTS,
    config: Config = CONFIG,
) -> Results:
    """Norms at the optimum; block 2 of seed 0 times ``blocks[activation]``, all of linear networks ``all_linear``."""
    trials, rows = [], []
    for activation, first, seed in itertools.product(("linear", "relu"), firsts, range(seeds)):
        name = f"{activation}-{first}-{seed}"
        trials.append([name, status, seed, activation, first, epochs, 0.1, 1.0])
        rows.append([name, epochs, None, "least_relative_gradient", gradient])
        for epoch in (1, epochs):
            for layer, norm in predicted(config, first).items():
                factor = (blocks or {}).get(activation, 1.0) if layer == 3 and seed == 0 else 1.0
                factor *= all_linear if activation == "linear" else 1.0
                factor *= (head if layer == config.model.depth else 1.0) * (early * layer if epoch == 1 else 1.0)
                rows.append([name, epoch, layer, "weight_norm", norm * factor])
    return make_results(config, ["model.activation", "train.weight_decay_first"], trials, rows)


def test_all_hold_at_the_optimum() -> None:
    assert set(verdicts(EXPERIMENT, results()).values()) == {REPRODUCED}


@pytest.mark.parametrize(
    ("claim", "within", "without"),
    [
        ("relu_blocks_equal", {"blocks": {"relu": 1.0099}}, {"blocks": {"relu": 1.0101}}),
        ("relu_blocks_equal", {"blocks": {"relu": 1 / 1.0099}}, {"blocks": {"relu": 1 / 1.0101}}),
        ("linear_agrees", {"all_linear": 1.00099}, {"all_linear": 1.00101}),
        ("linear_agrees", {"all_linear": 0.99901}, {"all_linear": 0.99899}),
        ("linear_agrees", {"head": 1.00099}, {"head": 1.00101}),
    ],
)
def test_each_fails_alone_just_outside_and_holds_just_inside(claim: str, within: dict, without: dict) -> None:
    assert set(verdicts(EXPERIMENT, results(**within)).values()) == {REPRODUCED}
    found = verdicts(EXPERIMENT, results(**without))
    assert found.pop(claim) is REFUSED
    assert set(found.values()) == {REPRODUCED}


def test_linear_blocks_that_differ_are_not_the_optimum_either() -> None:
    found = verdicts(EXPERIMENT, results(blocks={"linear": 1.0101}))
    assert found == {"linear_blocks_equal": REFUSED, "linear_agrees": REFUSED, "relu_blocks_equal": REPRODUCED}


@pytest.mark.parametrize(
    ("lacks", "changes"),
    [
        ("seeds", {"seeds": 2}),
        ("stationary", {"gradient": 0.0101}),
        ("decay times", {"epochs": 24}),
        ("grid complete", {"firsts": FIRSTS[:1]}),
        (
            "interpolation possible",
            {"config": dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, width=2))},
        ),
    ],
)
def test_without_a_need_nothing_is_decided_and_it_is_named(lacks: str, changes: dict) -> None:
    for claim in by_id(EXPERIMENT, results(**changes)).values():
        assert claim.verdict is UNDECIDED
        assert [need.name for need in claim.lacks] == [lacks]


def test_equal_norms_are_said_of_six_layers() -> None:
    shallow = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, depth=5))
    found = by_id(EXPERIMENT, results(config=shallow))
    assert [need.name for need in found["relu_blocks_equal"].lacks] == ["layers of the figure"]
    assert found["linear_agrees"].verdict is REPRODUCED


def test_nothing_that_says_nothing_changes_a_verdict() -> None:
    assert_nonsense_changes_nothing(EXPERIMENT, results())
    assert_nonsense_changes_nothing(EXPERIMENT, results(blocks={"relu": 1.1, "linear": 1.1}))
    assert_order_changes_nothing(EXPERIMENT, results())
    assert assert_nan_decides_nothing(EXPERIMENT, results()) >= 4


def test_equal_is_told_from_unequal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scatter of the norms of a hundredth of what is allowed, against of three times that."""
    without_needs(monkeypatch, module)
    draw, table = np.random.default_rng(0), results()
    norms = module.finals(table)
    parts = {of: norms[norms["model.activation"] == of] for of in module.EQUAL_NORMS}
    statements = {of: dataclasses.replace(says, needs=()) for of, says in module.EQUAL_NORMS.items()}

    def simulated(scatter: float) -> dict[str, Verdict]:
        found = []
        for activation, rows in parts.items():
            error = scatter * draw.normal(0, 1, len(rows))
            drawn = rows.assign(weight_norm=rows["predicted"] * (1 + error), error=np.abs(error))
            monkeypatch.setattr(module, "finals", lambda _, drawn=drawn: drawn)
            found.append(module.blocks_equal(table, statements[activation]))
            if activation == "linear":
                found.append(module.linear_agrees(table))
        return {claim.id: claim.verdict for claim in found}

    held, failed = ([simulated(scatter) for _ in range(200)] for scatter in (1e-4, 3e-2))
    for claim in held[0]:
        assert_refused_and_passed_rarely([of[claim] for of in held], [of[claim] for of in failed])


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
    drawing = figures(results(blocks={"linear": 1.5, "relu": 1.5}, seeds=1))["figure_4"]
    axes = np.array(drawing.figure.axes).reshape(2, 2)
    assert [ax.get_title() for ax in axes[0]] == ["δ = 10", "δ = 1"]
    for of_row in axes:
        for ax, first in zip(of_row, FIRSTS, strict=True):
            optimum = predicted(CONFIG, first)
            solid = {line.get_label(): line for line in ax.lines[:6]}
            names = {"first layer": 1, "block 1": 2, "block 2": 3, "block 3": 4, "block 4": 5, "head": 6}
            assert sorted(solid) == sorted(names)
            for name, layer in names.items():
                assert solid[name].get_xdata().tolist() == [1, 100]
                end = optimum[layer] * (1.5 if layer == 3 else 1.0)
                np.testing.assert_allclose(solid[name].get_ydata(), [layer * end, end])
            dashed = [line.get_ydata()[0] for line in ax.lines[6:]]
            assert sorted(dashed) == sorted(optimum.values())
    named = [text.get_text() for legend in drawing.figure.legends for text in legend.get_texts()]
    assert named[-3:] == ["optimum, first layer", "optimum, blocks", "optimum, head"]
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_no_line_is_cut_off() -> None:
    drawing = figures(results(all_linear=0.1))["figure_4"]
    for ax in drawing.figure.axes:
        assert ax.get_ylim()[0] == 0
        assert max(max(line.get_ydata()) for line in ax.lines) < ax.get_ylim()[1]
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_nothing_finished_decides_nothing_and_is_said() -> None:
    assert set(verdicts(EXPERIMENT, results(status="diverged")).values()) == {UNDECIDED}
    drawing = figures(results(status="diverged"))["figure_4"]
    assert [ax.texts[0].get_text() for ax in drawing.figure.axes] == ["no finished network"] * 4
    assert fit(drawing.figure, caption=drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)

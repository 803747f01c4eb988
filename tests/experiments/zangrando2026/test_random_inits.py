import matplotlib.pyplot as plt
import numpy as np
import torch
from tables import make_results

from nc_runner.config.choices import DataName, Norm
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.data import load
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.zangrando2026.random_inits.claims import QUANTITIES, claims
from nc_runner.experiments.zangrando2026.random_inits.figures import PANELS, figures
from nc_runner.experiments.zangrando2026.random_inits.measure import predicted_values
from nc_runner.figures.drawing import CAPTION_LINES, add_caption

CONFIG = Config(data=DataConfig(classes=3), model=ModelConfig(depth=4), train=TrainConfig(epochs=100))


def results(
    *, bad: int = 0, objective: float = 1.0, rank: float = 3.0, status: str = "interpolated", **factors: float
) -> Results:
    """Ten initialisations; ``metric=factor`` is what is left of one at the end, ``bad`` of them stay as they were."""
    trials, rows = [], []
    for seed in range(10):
        name = f"s{seed}"
        trials.append([name, status, seed, 100, 0.1, 1.0])
        rows.append([name, 100, None, "objective", objective if seed == 0 else 1.0])
        for epoch in (1, 100):
            for layer in range(1, 5):
                rows.append([name, epoch, layer, "numerical_rank", rank])
                for metric in QUANTITIES:
                    left = factors.get(metric, 1e-3) if seed >= bad else 1.0
                    rows.append([name, epoch, layer, metric, left if epoch == 100 else 1.0])
    return make_results(CONFIG, [], trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}


def test_all_hold_on_a_table_made_so() -> None:
    assert set(verdicts(results()).values()) == {Verdict.reproduced}
    assert set(verdicts(results(bad=1)).values()) == {Verdict.reproduced}


def test_each_can_fail() -> None:
    assert set(list(verdicts(results(bad=2)).values())[:3]) == {Verdict.not_reproduced}
    for metric in QUANTITIES:
        assert verdicts(results(**{metric: 0.5}))[f"{metric}_falls"] is Verdict.not_reproduced
    assert verdicts(results(rank=2.0))["rank_k"] is Verdict.not_reproduced
    assert verdicts(results(objective=1.2))["same_objective"] is Verdict.not_reproduced


def test_the_prediction_maps_class_means_to_one_hot_targets_at_least_penalty() -> None:
    config = Config(
        data=DataConfig(name=DataName.gaussian_mixture, samples=12, classes=3, dim=5),
        model=ModelConfig(depth=4, norm=Norm.none),
    )
    x, y = load(config.data)
    means = np.stack([x.numpy()[y.numpy() == k].mean(0) for k in range(3)]).astype(np.float64)
    smallest = np.linalg.pinv(means.T)  # of all maps from the means to the targets
    np.testing.assert_allclose(smallest @ means.T, np.eye(3), atol=1e-6)
    expected = np.linalg.svd(smallest)[1] ** (1 / 4)
    np.testing.assert_allclose(predicted_values(x, y, config), expected, rtol=1e-5)
    assert predicted_values(x, y, config).dtype is torch.float64


def test_mean_and_band_over_initialisations_are_plotted() -> None:
    drawing = figures(results(bad=2, cluster_variation=0.5, relative_rank_distance=0.25))["figure_3"]
    axes = drawing.figure.axes
    for ax, (metric, *_), left in zip(axes, PANELS, (0.5, 0.25, 1e-3), strict=False):
        (line,), (band,) = ax.lines, ax.collections
        assert metric in QUANTITIES
        assert line.get_xdata().tolist() == [0.01, 1.0]
        np.testing.assert_allclose(line.get_ydata(), [1.0, (2 * 1.0 + 8 * left) / 10])
        low, high = band.get_paths()[0].get_extents().get_points()
        np.testing.assert_allclose([low, high], [[0.01, left], [1.0, 1.0]])
    assert [line.get_label() for line in axes[3].lines] == ["layer 1", "layer 2", "layer 3", "layer 4"]
    for line in axes[3].lines:
        np.testing.assert_allclose(line.get_ydata(), [1.0, 0.6])
    assert "10 random initialisations" in drawing.caption
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)


def test_nothing_finished_decides_nothing_and_is_said() -> None:
    assert set(verdicts(results(status="diverged")).values()) == {Verdict.undecided}
    drawing = figures(results(status="diverged"))["figure_3"]
    assert [ax.texts[0].get_text() for ax in drawing.figure.axes] == ["no finished network"] * 4
    assert add_caption(drawing.figure, drawing.caption) <= CAPTION_LINES
    plt.close(drawing.figure)

import matplotlib.pyplot as plt
import numpy as np
import torch
from tables import make_results

from nc_runner.choices import DataName, Norm
from nc_runner.config import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.data import load
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.random_inits import PANELS, claims, draw, predicted_values

CONFIG = Config(data=DataConfig(classes=3), model=ModelConfig(depth=4), train=TrainConfig(epochs=100))


def results(*, bad: int = 0, objective: float = 1.0, rank: float = 3.0, **factors: float) -> Results:
    """Ten initialisations; ``metric=factor`` is what is left of one at the end, ``bad`` of them stay as they were."""
    trials, rows = [], []
    for seed in range(10):
        name = f"s{seed}"
        trials.append([name, "interpolated", seed, 100, 0.1, 1.0])
        rows.append([name, 100, None, "objective", objective if seed == 0 else 1.0])
        for epoch in (1, 100):
            for layer in range(1, 5):
                rows.append([name, epoch, layer, "numerical_rank", rank])
                for metric, *_ in PANELS:
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
    for metric, *_ in PANELS:
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


def test_it_draws() -> None:
    for figure in draw(results()).values():
        figure.canvas.draw()
        plt.close(figure)

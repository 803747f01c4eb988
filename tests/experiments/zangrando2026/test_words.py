"""What the notes of figures say of a run's setting, and what an empty panel says."""

import dataclasses

import matplotlib.pyplot as plt
import pandas as pd

from nc_runner.config.choices import Activation, DataName, LossName, ModelName, Norm, Precision
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.base import Results
from nc_runner.experiments.zangrando2026.words import NOTHING, power, setting
from nc_runner.figures.drawing import say

MIXTURE = DataConfig(name=DataName.gaussian_mixture, samples=200, dim=32, classes=10, sigma=0.5)
FULL_BATCH = TrainConfig(
    loss=LossName.mse, batch_size=None, epochs=20_000, learning_rate=0.1, weight_decay=1e-3, lr_milestones=[]
)


def of(config: Config, **columns: list[object]) -> list[str]:
    """The setting of a run of two trials, of which one fits, with these columns varied."""
    trials = pd.DataFrame(
        {
            "id": ["a", "b"],
            "status": ["interpolated", "underfit"],
            **{name.replace("__", "."): column for name, column in columns.items()},
        }
    )
    return setting(Results(config, trials, pd.DataFrame()))


def test_the_setting_of_a_run_with_its_varied_keys() -> None:
    model = ModelConfig(depth=4, width=64, norm=Norm.none, bias=False)
    networks, data, training, objective, fit = of(
        Config(data=MIXTURE, model=model, train=FULL_BATCH), train__weight_decay=[1e-3, 1.5e-2], data__sigma=[0.0, 0.5]
    )
    assert networks == (
        "Networks: L = 4 fully connected layers; activation of the hidden ones: relu; width 64, no biases."
    )
    assert data == (
        "Data: N = 200 samples of K = 10 classes: the mean of the class plus Gaussian noise of σ = 0, 0.5 in each of "
        "32 dimensions; orthonormal means."
    )
    assert fit == "Of 2 networks 1 fit: training accuracy 0.999 or more."
    assert training.startswith(
        "Training: full-batch descent with momentum 0.9, step size 0.1, 20,000 epochs, weight decay λ = 0.001, 0.015, "
        "in float32."
    )
    assert objective.startswith("Objective: (1/2N) Σᵢ ‖f(xᵢ) − yᵢ‖² + (λ/2) Σₗ ‖Wₗ‖²;")


def test_the_setting_of_residual_networks_on_class_means() -> None:
    data = DataConfig(name=DataName.gaussian_mixture, samples=10, dim=10, classes=10, sigma=0.0)
    model = ModelConfig(name=ModelName.residual_mlp, depth=6, width=64, activation=Activation.linear, bias=False)
    train = TrainConfig(batch_size=64, precision=Precision.float64)
    words = of(Config(data=data, model=model, train=train), train__weight_decay_first=[1e-2, 1e-3])
    assert "4 residual blocks z + act(W z) and a linear head; act: linear; width 64, no biases" in words[0]
    assert "N = 10 samples of K = 10 classes, each equal to the mean of its class (σ = 0)" in words[1]
    assert "descent on batches of 64" in words[2]
    assert "in float64" in words[2]
    assert words[3].startswith("Objective: mean cross-entropy + (λ/2) [δ ‖W₁‖² + Σ_{l≥2} ‖Wₗ‖²];")


def test_step_sizes_that_drop_are_told() -> None:
    train = dataclasses.replace(FULL_BATCH, lr_milestones=[0.5, 0.75])
    assert "step size 0.1, times 0.1 after 50% and 75% of the epochs, 20,000 epochs" in of(Config(train=train))[2]


def test_images_are_named() -> None:
    words = of(Config(data=DataConfig(name=DataName.mnist, classes=10)))
    assert words[1] == "Data: mnist, K = 10 classes."


def test_powers_of_ten() -> None:
    assert [power(value) for value in (1e-8, 1e-16, 1.0, 1e12)] == ["10⁻⁸", "10⁻¹⁶", "10⁰", "10¹²"]


def test_an_empty_panel_says_so() -> None:
    figure, ax = plt.subplots()
    say(ax, NOTHING)
    assert [text.get_text() for text in ax.texts] == ["no finished network"]
    plt.close(figure)

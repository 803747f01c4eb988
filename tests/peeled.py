"""Small unconstrained layer-peeled models for tests."""

from typing import Any

from nc_runner.config.choices import DataName, Method, ModelName
from nc_runner.config.schema import Config, DataConfig, FlowConfig, ModelConfig, TrainConfig

UNREGULARISED: dict[str, Any] = {"weight_decay": 0.0, "momentum": 0.0}


def peeled(
    classes: int = 3,
    per_class: int = 2,
    width: int = 4,
    *,
    method: Method = Method.flow,
    epochs: int = 12,
    start: dict[str, Any] | None = None,
    **flow: Any,
) -> Config:
    """A config of one trial."""
    return Config(
        experiment="bn_wd_sweep",
        data=DataConfig(name=DataName.balanced, samples=classes * per_class, classes=classes),
        model=ModelConfig(name=ModelName.ulpm, width=width, **(start or {})),
        train=TrainConfig(method=method, epochs=epochs, batch_size=None, learning_rate=0.01, **UNREGULARISED),
        flow=FlowConfig(**flow),
    )

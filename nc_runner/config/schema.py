"""The typed schema: every key, its one-line meaning, and its bounds.

The dataclasses below are Hydra's structured config, so a wrong type or an unknown key is refused while composing.
:mod:`nc_runner.config.check` refuses what a type cannot express. :mod:`nc_runner.config.keys` is how the rest of the
program reads and changes keys by their dotted names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nc_runner.config.choices import Device, Spacing
from nc_runner.config.data_keys import DataConfig
from nc_runner.config.field import key
from nc_runner.config.figures import FiguresConfig
from nc_runner.config.model_keys import ModelConfig
from nc_runner.config.train_keys import FlowConfig, TrainConfig

__all__ = [
    "WITHOUT_EFFECT",
    "WITHOUT_EFFECT_AT",
    "CheckpointConfig",
    "Config",
    "DataConfig",
    "FlowConfig",
    "ModelConfig",
    "SaveConfig",
    "ScaleConfig",
    "TrainConfig",
]


@dataclass
class CheckpointConfig:
    every_seconds: float = key(60.0, "seconds between checkpoints of a stack in training", low=0.0)


@dataclass
class SaveConfig:
    weights: bool = key(True, "write the final weights of every trial")
    features: bool = key(False, "write the final features and labels of every trial beside its weights")


@dataclass
class ScaleConfig:
    name: str = key("paper", "set by scale=paper, cpu, quick or smoke, which picks the sizes; never by itself")
    promise: str = key("", "what the scale promises")


@dataclass
class Config:
    experiment: str | None = key(None, "the figure to make; `nc-run list` shows them")
    scale: ScaleConfig = field(default_factory=ScaleConfig)
    seeds: Any = key(1, "a count (3 means seeds 0, 1, 2) or a list of seeds")
    device: Device = key(Device.auto, "auto takes a GPU when there is one")
    jobs: Any = key("auto", "CPU worker processes, one thread each; auto: one a core")
    probes: int = key(12, "epochs at which the layers are measured, the last included; flow: every output", low=1)
    probe_spacing: Spacing = key(Spacing.log, "whether the measured epochs are evenly spaced in log(epoch) or in epoch")
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    save: SaveConfig = field(default_factory=SaveConfig)
    figures: FiguresConfig = field(default_factory=FiguresConfig)
    grid: dict[str, list[Any]] = key(
        {},
        "axes the experiment varies, {dotted.key: [values]}, or {key,key: [[value, value]]} for keys that go together",
    )

    @property
    def seed_list(self) -> list[int]:
        """The seeds as a list; a count N means 0 .. N-1."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else list(self.seeds)


# Keys that decide a trial's numbers only where they are not at this value: younger than trials that were made without.
WITHOUT_EFFECT_AT = {
    "train.matmul_precision": "highest",
    "train.optimizer": "sgd",
    "train.beta2": 0.999,
    "train.adam_eps": 1e-8,
    "train.schedule": "steps",
    "train.lr_warmup": 0.0,
    "train.label_smoothing": 0.0,
    "train.gradient_clip": None,
    "data.label_noise": 0.0,
    "data.imbalance": 1.0,
    "data.imbalance_shape": "long_tail",
    "data.split": "train",
    "model.norm_on": None,
    "model.dropout": 0.0,
    "model._target_": None,
    "model.args": {},
}

# Keys that choose where and how a run happens but cannot change a trial's numbers. (The device and the thread
# count do change sums; they are recorded in provenance.json, and resume says where they differ.)
WITHOUT_EFFECT = (
    "experiment",
    "scale",
    "seeds",
    "device",
    "jobs",
    "probes",
    "probe_spacing",
    "checkpoint",
    "save",
    "figures",
    "grid",
    "data.root",
    "data.columns",
    "data.skip_bad",
    "data.test",
)

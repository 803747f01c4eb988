"""The typed schema: every key, its one-line meaning, and its bounds.

The dataclasses below are Hydra's structured config, so a wrong type or an unknown key is refused while composing.
:mod:`nc_runner.config.check` refuses what a type cannot express. :mod:`nc_runner.config.keys` is how the rest of the
program reads and changes keys by their dotted names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nc_runner.config.choices import (
    Activation,
    Clock,
    DataName,
    Device,
    Init,
    LossName,
    MatmulPrecision,
    Means,
    Method,
    ModelName,
    Norm,
    Precision,
    Reduction,
    Solver,
    Spacing,
    Start,
)
from nc_runner.config.field import key
from nc_runner.config.figures import FiguresConfig


@dataclass
class DataConfig:
    name: DataName = key(DataName.teacher, "where samples and labels come from")
    samples: int = key(
        10_000, "number of training samples N; of images per_class times classes, where per_class is set", low=2
    )
    dim: int = key(16, "input dimension; images have their own", low=1)
    classes: int = key(4, "number of classes C", low=2)
    input_seed: int = key(10_000, "seed of the inputs, or of a subset of images", low=0, high=2**32 - 1)
    label_seed: int = key(
        12_138, "seed of the teacher's weights, or of the conic hull's planes and inputs", low=0, high=2**32 - 1
    )
    teacher_depth: int = key(3, "linear layers of the teacher: the distribution's complexity", low=1)
    teacher_width: int = key(200, "width of the teacher's hidden layers", low=1)
    sigma: float = key(0.1, "noise of the Gaussian mixture, its standard deviation in every direction", low=0.0)
    means: Means = key(
        Means.orthonormal, "class means of the Gaussian mixture: orthonormal, or random of mean square norm 1"
    )
    per_class: int | None = key(
        None, "images of each class in a random subset of the training set; null: the whole training set", low=1
    )
    root: str | None = key(
        None, "folder of image data sets in the Hugging Face parquet layout; null: NC_DATA_ROOT, then the hub"
    )
    path: str | None = key(
        None, "images: a folder of class folders or parquet files, or hub:OWNER/NAME on the Hugging Face hub"
    )
    columns: str | None = key(
        None, "IMAGE:LABEL, the columns of a table of images, where it has several or other names"
    )
    skip_bad: bool = key(False, "leave out images that cannot be decoded, and say which, instead of refusing the set")
    image_size: int | None = key(None, "side in pixels that images are resized to; null: as they are", low=1)
    channels: int | None = key(
        None, "1 makes images grey, 3 makes them of three colours; null: as they are", low=1, high=3
    )


@dataclass
class ModelConfig:
    name: ModelName = key(
        ModelName.mlp,
        "mlp; residual_mlp, blocks z + activation(W z) between a linear first layer and a linear head; one free vector "
        "for each sample under one linear layer: free_features (norms held fixed), ulpm (norms free); convolutions "
        "under a head like mlp's: resnet20, resnet18, vgg13",
    )
    depth: int = key(
        6, "number of linear layers, the output layer included; of convolutional networks, of the head", low=1
    )
    width: int = key(200, "width of every hidden layer, of a head's too; dimension of free features", low=1)
    linear_layers: int = key(
        1, "how many of the last layers of mlp and of heads have no activation between them; 1: the output layer", low=1
    )
    channels: int = key(64, "channels of the first convolution; those of later stages grow with it", low=1)
    norm: Norm = key(
        Norm.affine,
        "BatchNorm after each hidden activation of mlp, and each convolution: affine, plain (gamma 1, beta 0) or none",
    )
    activation: Activation = key(Activation.relu, "what follows each hidden linear layer")
    bias: bool = key(True, "whether the linear layers of mlp, residual_mlp and heads have biases")
    init: Init = key(
        Init.torch,
        "initial weights of linear layers, uniform: torch, of its default variance 1/(3 fan_in); or he, of that which "
        "keeps the mean square of features, 2/fan_in before a ReLU and 1/fan_in where no activation follows",
    )
    batch_norm_eps: float = key(1e-5, "BatchNorm's epsilon", above=0.0)
    batch_norm_momentum: float = key(
        0.1, "weight of the newest batch in BatchNorm's running statistics", above=0.0, high=1.0
    )
    feature_norm: float = key(1.0, "alpha = sqrt(mean ||h||^2), at which free features are held", above=0.0)
    weight_norm: float = key(
        1.0, "beta = ||W||_F / sqrt(C), at which the weight above free features is held", above=0.0
    )
    start: Start = key(Start.normal, "where ulpm starts: iid normal, at neural collapse, or on Example 3.1's ray")
    start_scale: float = key(
        1.0,
        "ulpm: standard deviation (normal), root of the logit gap (simplex), r in W = H = r M (saddle)",
        above=0.0,
    )
    start_rank: int | None = key(
        None, "ulpm: dimension of the random subspace a normal start lies in; null: all", low=1
    )
    start_noise: float = key(
        0.0, "ulpm: standard deviation of normal noise added to simplex and saddle starts", low=0.0
    )


@dataclass
class TrainConfig:
    method: Method = key(
        Method.sgd,
        "sgd; of ulpm also gd (constant step), flow (gradient flow) and critical_point (a search); none measures the "
        "data alone",
    )
    loss: LossName = key(
        LossName.cross_entropy,
        "cross_entropy, or mse: half the squared distance from the one-hot labels, averaged over the samples",
    )
    epochs: int = key(300, "passes over the training set; flow: output times", low=1)
    batch_size: int | None = key(128, "samples a step; null takes the full batch", low=1)
    learning_rate: float = key(0.0679, "initial step size of SGD; step size of gd after its warm-up", above=0.0)
    warmup: int = key(0, "steps over which the step size of gd rises linearly from 0", low=0)
    momentum: float = key(0.9, "heavy-ball momentum of SGD", low=0.0, below=1.0)
    weight_decay: float = key(5e-4, "L2 coefficient on every parameter, torch's coupled form", low=0.0)
    weight_decay_first: float | None = key(
        None, "L2 coefficient on the first layer's parameters (ulpm: the features); null takes weight_decay", low=0.0
    )
    lr_milestones: list[float] = key([0.25, 0.5, 0.75], "fractions of the epochs at which the step size drops")
    lr_gamma: float = key(0.1, "factor of each drop", above=0.0, high=1.0)
    precision: Precision = key(Precision.float32, "of data, parameters and gradients; measures are always in float64")
    matmul_precision: MatmulPrecision = key(
        MatmulPrecision.highest,
        "of float32 products on a GPU: highest (float32), high (TF32), medium (TF32, in convolutions bfloat16)",
    )
    target_accuracy: float = key(
        0.999, "training accuracy below which a trial counts as underfit and is discarded", low=0.0, high=1.0
    )


@dataclass
class FlowConfig:
    reduction: Reduction = key(Reduction.sum, "cross-entropy summed over the samples, or their mean, in flow and gd")
    log_time: float = key(
        1e6, "log(1 + t) at which a gradient flow ends, or a search for critical points begins", above=0.0
    )
    clock: Clock = key(Clock.log_log_t, "variable of integration: t, log(1 + t) or log(1 + log(1 + t))")
    solver: Solver = key(
        Solver.auto, "auto: LSODA while its dense Jacobian is small, then BDF; BDF and Radau solve by blocks"
    )
    rtol: float = key(1e-10, "relative tolerance of the solver", low=1e-13, below=1.0)
    atol: float = key(1e-10, "absolute tolerance of (W, H) / sqrt(1 + log(1 + t))", low=1e-15, below=1.0)


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
WITHOUT_EFFECT_AT = {"train.matmul_precision": "highest"}

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
)

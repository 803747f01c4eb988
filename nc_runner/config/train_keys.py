"""The keys of ``train`` and of ``flow``: how it is trained."""

from __future__ import annotations

from dataclasses import dataclass

from nc_runner.config.choices import (
    Clock,
    LossName,
    MatmulPrecision,
    Method,
    Optimizer,
    Precision,
    Reduction,
    Schedule,
    Solver,
)
from nc_runner.config.field import key


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
    optimizer: Optimizer = key(
        Optimizer.sgd,
        "of method sgd: sgd, with heavy-ball momentum; nesterov; adam; adamw; gd, gradient descent on the full batch "
        "without momentum",
    )
    learning_rate: float = key(
        0.0679, "initial step size of the optimizer; step size of method gd after its warm-up", above=0.0
    )
    warmup: int = key(0, "steps over which the step size of method gd rises linearly from 0", low=0)
    momentum: float = key(0.9, "momentum of sgd and nesterov; beta1 of adam and adamw", low=0.0, below=1.0)
    beta2: float = key(0.999, "of adam and adamw: decay of the mean square of gradients", low=0.0, below=1.0)
    adam_eps: float = key(1e-8, "of adam and adamw: epsilon beside the root of that mean", above=0.0)
    weight_decay: float = key(
        5e-4, "L2 coefficient on every parameter, torch's coupled form; of adamw the decoupled form", low=0.0
    )
    weight_decay_first: float | None = key(
        None, "L2 coefficient on the first layer's parameters (ulpm: the features); null takes weight_decay", low=0.0
    )
    schedule: Schedule = key(
        Schedule.steps,
        "of the step size: steps, by lr_gamma at each of lr_milestones; cosine, half a period from the end of the "
        "warm-up to the last epoch; constant",
    )
    lr_warmup: float = key(
        0.0, "share of the epochs over which the step size rises linearly, epoch by epoch, before any schedule",
        low=0.0, below=1.0,
    )  # fmt: skip
    lr_milestones: list[float] = key(
        [0.25, 0.5, 0.75], "fractions of the epochs at which the step size of schedule steps drops"
    )
    lr_gamma: float = key(0.1, "factor of each drop", above=0.0, high=1.0)
    label_smoothing: float = key(
        0.0, "share of each label spread evenly over all classes, in the cross-entropy that is trained", low=0.0,
        below=1.0,
    )  # fmt: skip
    gradient_clip: float | None = key(
        None, "largest norm of a trial's gradient, without the weight decay; a larger one is scaled down; null: any",
        above=0.0,
    )  # fmt: skip
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

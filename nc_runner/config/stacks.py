"""From trials to stacks: trials of equal shape and operations, which train together."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise

from nc_runner.config.choices import CONVOLUTIONAL, Method, ModelName, Norm, Precision
from nc_runner.config.schema import Config
from nc_runner.config.trials import Trial

# What may differ within a stack: the seed, and the numbers that enter a step as one tensor with an entry a trial.
PER_TRIAL = (
    "train.learning_rate",
    "train.momentum",
    "train.beta2",
    "train.weight_decay",
    "train.weight_decay_first",
    "train.target_accuracy",
)

# Channels of a CPU stack. Wider than this, one network's arrays fill a core's cache and stacking loses; narrower,
# the cost of starting operations is shared (128 x 64: 440 us alone, 320 us a trial in a stack of four).
CPU_STACK_CHANNELS = 256

# Of convolutional networks, whose products fill a vector register with 8 channels. Stacking them saves half the time of
# a trial below that and a tenth from there on (ResNet20, batch 128, 32 x 32 pixels, ms a trial alone, in a stack of 2
# and of 4: 89, 53 and 51 with 4 channels, 116, 106 and 117 with 8), where it is better to give each core a trial.
CPU_STACK_CONVOLUTION_CHANNELS = 8

# Of networks without BatchNorm in full batch: the most bytes of a CPU stack, and the most trials. The cost of starting
# operations is shared, up to where the stack leaves a core's cache: at 80 to 1100 KiB a trial, the best stack always
# had 2 to 4 MiB (depth 5, 100 samples, width 64: 181 us alone, 124 us a trial in a stack of 8, 230 us in one of 100).
# Beyond 50 trials little is left to share (depth 4, 20 samples, width 16: 68 us alone, 6.5 in a stack of 25, 4.4 in one
# of 100), and a hundred initialisations in one stack would keep one worker busy.
CPU_STACK_BYTES = 5 * 2**19
CPU_STACK_TRIALS = 50

# On a GPU the bytes of a stack while it is measured: every layer's features of all samples, and a few float64 copies of
# one layer's. It is a part of an 80 GiB card, so that there is room for stacks that train at once.
GPU_STACK_BYTES = 2**34
_COPIES = 4  # [choice]


def stack_key(trial: Trial) -> str:
    """Equal for trials that can train together."""
    return json.dumps({k: v for k, v in trial.keys.items() if k not in PER_TRIAL}, sort_keys=True)


def make_stacks(trials: Sequence[Trial], *, cuda: bool) -> list[list[Trial]]:
    """Group trials of equal shape and operations: on a GPU all MLPs of a kind, on a CPU small networks by a few.

    The grouping depends on the trials alone, never on the number of workers, so that the same command gives the
    same bits whatever ``jobs`` is.
    """
    kinds: dict[str, list[Trial]] = {}
    for trial in trials:
        kinds.setdefault(stack_key(trial), []).append(trial)
    stacks = []
    for members in kinds.values():
        config = members[0].config
        most = len(members)
        if config.train.method is Method.flow or config.model.name is ModelName.own:
            most = 1  # each trial has its own steps, or is a module
        elif cuda and config.model.name in CONVOLUTIONAL:
            # Grouped convolutions lose to networks of their own, each on its stream, at every width (H100, ResNet20,
            # images a second of five: 63,000 and 97,000 with 2 channels, 33,000 and 50,000 with 8, 14,000 and 35,000
            # with 16).
            most = 1
        elif config.train.method is Method.sgd:
            most = gpu_stack_size(config) if cuda else cpu_stack_size(config)
        size = math.ceil(len(members) / math.ceil(len(members) / most))  # as many stacks, of equal size
        stacks += [members[i : i + size] for i in range(0, len(members), size)]
    return stacks


def gpu_stack_size(config: Config) -> int:
    """How many trials of a kind, which are no convolutional networks, a GPU stack holds at most."""
    model = config.model
    size = 8 if config.train.precision is Precision.float64 else 4
    widest = max(model.first_width or 0, model.width)
    held = size * (widest + model.width * model.depth) + 8 * _COPIES * widest
    return max(1, GPU_STACK_BYTES // (config.data.samples * held))


def cpu_stack_size(config: Config) -> int:
    """How many trials of a kind a CPU stack holds at most."""
    data, model = config.data, config.model
    if model.name in CONVOLUTIONAL:
        return max(1, CPU_STACK_CONVOLUTION_CHANNELS // model.channels)
    first = model.first_width or model.width
    is_network = model.name in (ModelName.mlp, ModelName.residual_mlp)
    if not is_network or model.norm is not Norm.none or (config.train.batch_size or data.samples) < data.samples:
        return max(1, CPU_STACK_CHANNELS // max(model.width, first))
    hidden = [first, *[model.width] * (model.depth - 2)] if model.depth > 1 else []
    weights = sum(a * b for a, b in pairwise([data.dim, *hidden, data.classes]))
    activations = data.samples * (first + model.width * model.depth)
    size = 8 if config.train.precision is Precision.float64 else 4
    trial_bytes = size * (activations + 3 * weights)  # the weights, their gradients and their momenta
    return min(CPU_STACK_TRIALS, max(1, CPU_STACK_BYTES // trial_bytes))

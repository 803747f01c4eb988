"""Tables of heads of 1 to 6 linear layers, made by hand so that every claim holds or one fails."""

import itertools

from tables import make_results

from nc_runner.cli.mistakes import compose
from nc_runner.config.choices import ModelName
from nc_runner.experiments.base import Results, Verdict
from nc_runner.experiments.jacot2025.depth_claims import claims

NC1, NC2 = "within_between_trace_ratio", "class_mean_condition_number"
RESNET = ("experiment=linear_head_depth_resnet",)
# As runs of ResNet20 were saved before they had an experiment of their own.
OLD_RESNET = (
    "experiment=linear_head_depth", "model=resnet20", "data=cifar10", "model.depth=7", "model.linear_layers=6",
    "train.epochs=5000",
)  # fmt: skip


def linear(
    *, last: float = 1.0, inputs: float = 0.05, nc1: float = 1.0, bound: float = 2.0, balanced: float = 1.0,
    words: tuple[str, ...] = ("experiment=linear_head_depth",), seeds: int = 3, worse: bool = False,
) -> Results:  # fmt: skip
    """1 to 6 linear layers (an MLP's 1 to 5), two weight decays: NC2 of the last layer c3^(1/L2) to the power ``last``.

    c3 is about 20, or ``worse``: such that NC2 of the last layer rises.
    """
    trials, rows = [], []
    config = compose([*words])
    first = 3 if config.model.name is ModelName.mlp else 1  # non-linear layers of the head
    backbone = config.model.depth - config.model.linear_layers - first
    most, epochs = config.model.linear_layers, config.train.epochs
    for layers, decay, seed in itertools.product(range(1, most + 1), (1e-3, 4e-3), range(seeds)):
        name, depth = f"{layers}-{decay}-{seed}", first + layers
        trials.append([name, "interpolated", seed, backbone + depth, layers, decay, epochs, 0.01, 1.0])
        whole = 3.0 ** (layers * (1 + 0.1 * layers)) if worse else 20.0 * (1 + inputs * layers)
        other = 0.01 * nc1**layers
        rows.append([name, 9, None, "linear_head_condition_number", whole**balanced])
        for layer in range(depth + 1):
            nc2 = whole ** (last * (depth - layer) / layers) if layer > first else whole
            rows += [[name, 9, layer, NC1, other], [name, 9, layer, NC2, nc2]]
        if layers > 1:
            for metric, value in (("trace_ratio", other), ("condition_number", whole ** (last / layers))):
                rows += [[name, 9, depth - 1, f"{metric}_{kind}", bound * value] for kind in ("bound", "sharper_bound")]
    varied = ["model.depth", "model.linear_layers", "train.weight_decay"]
    return make_results(config, varied, trials, rows)


def verdicts(table: Results) -> dict[str, Verdict]:
    return {claim.id: claim.verdict for claim in claims(table)}

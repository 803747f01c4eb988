"""Tables of representation costs from many starts, and of gradients of class means."""

import itertools

from tables import make_results

from nc_runner.config.choices import DataName, Method
from nc_runner.config.schema import Config, DataConfig, ModelConfig, TrainConfig
from nc_runner.experiments.base import Results, Verdict

NAMES, ACTIVATIONS = ("mlp", "residual_mlp"), ("linear", "relu")
CONFIG = Config(
    data=DataConfig(name=DataName.gaussian_mixture, classes=3, samples=6, dim=8, sigma=0.3),
    model=ModelConfig(depth=4, width=8),
    train=TrainConfig(method=Method.none, epochs=20),
    grid={"model.name": list(NAMES), "model.activation": list(ACTIVATIONS)},
)
REPRODUCED, REFUSED, UNDECIDED = Verdict.reproduced, Verdict.not_reproduced, Verdict.undecided


def results(
    *,
    starts: int = 20,
    again: int = 3,
    free: float = 1.0,
    of: tuple[str, str] = ("mlp", "relu"),
    level: dict[str, float] | None = None,
    rank: float = 6.0,
    power: float = 1.0,
    networks: int = 2,
    status: str = "measured",
    names: tuple[str, ...] = NAMES,
    activations: tuple[str, ...] = ACTIVATIONS,
    config: Config = CONFIG,
) -> Results:
    """The predicted cost is 10. ``again`` searches of a kind end at the least, the others at 1.5 times that.

    ``free`` is the least cost with free features, over that without variation, of the network ``of``; ``level`` the
    latter over the predicted one, by activation. ``power`` is that of TCV in the error.
    """
    trials, rows = [], []
    for name, activation in itertools.product(names, activations):
        trial = f"{name}-{activation}"
        trials.append([trial, status, 0, name, activation, 0, 0.0, 0.0])
        rows += [[trial, 0, None, "input_rank", rank], [trial, 0, None, "predicted", 10.0]]
        lowest = 10.0 * (level or {}).get(activation, 1.0)
        for kind, least in (("free", lowest * (free if (name, activation) == of else 1.0)), ("collapsed", lowest)):
            ends = [least if start < again else 1.5 * least for start in range(starts)]
            rows += [[trial, 0, None, f"{kind}_{start:03d}", end] for start, end in enumerate(ends)]
        for network, layer, step in itertools.product(range(networks), (2, 3, 4), range(7)):
            variation = 10.0 ** (-step)
            rows.append([trial, 0, layer, f"variation_{network}_{step:02d}", variation])
            rows.append([trial, 0, layer, f"error_{network}_{step:02d}", 3.0 * variation**power])
    return make_results(config, ["model.name", "model.activation"], trials, rows)

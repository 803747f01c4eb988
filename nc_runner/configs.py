"""Where the YAML files are, and how Hydra is told about the schema and about sizes that depend on the scale."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

from nc_runner.config import Config

SCALES = ("paper", "cpu", "quick", "smoke")


def conf_dir() -> Path:
    """The folder of config files: inside an installed package, at the top of a checkout."""
    package = Path(__file__).parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def experiment_names() -> list[str]:
    """Every experiment there is a config file for."""
    return sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))


def at_scale(sizes: Any, *, _root_: Any) -> Any:
    """Resolver ``${at_scale:{paper:300,quick:40}}``: the size at the run's scale, or at the next larger one given."""
    for name in reversed(SCALES[: SCALES.index(_root_.scale.name) + 1]):
        if name in sizes:
            return sizes[name]
    raise ValueError(f"at_scale has no size for scale={_root_.scale.name}, and none for paper")


def register() -> None:
    """Make the schema and the resolver known; safe to call twice."""
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    ConfigStore.instance().store(name="schema", node=Config)
    OmegaConf.register_new_resolver("at_scale", at_scale, replace=True)
    OmegaConf.register_new_resolver("case", case, replace=True)


def composed(overrides: list[str]) -> Any:
    """The config, a node of the schema, that these command-line words mean."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register()
    if GlobalHydra.instance().is_initialized():  # within a job, of which Hydra is in charge
        return compose("config", overrides)
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        return compose("config", overrides)


def case(value: Any, choices: Any) -> Any:
    """Resolver ``${case:${model.name},{mlp:none,resnet20:affine}}``: what goes with a value of another key."""
    name = value.name if isinstance(value, Enum) else str(value)
    if name not in choices:
        raise ValueError(f"{name}: this experiment has no sizes for it; allowed are {', '.join(map(str, choices))}")
    return choices[name]


def load_saved(path: Path) -> Any:
    """A config that Hydra saved, as a node of the schema."""
    from omegaconf import OmegaConf

    register()
    return OmegaConf.merge(OmegaConf.structured(Config), OmegaConf.load(path))


def rescaled(node: Any, scale: str) -> Config:
    """The config that ``node`` would have been at another scale."""
    from omegaconf import OmegaConf

    from nc_runner.dotted import to_config

    other = OmegaConf.merge(node, {"scale": OmegaConf.load(conf_dir() / "scale" / f"{scale}.yaml")})
    return to_config(other)


def changed_from_paper(config: Config) -> str:
    """In a sentence for a caption, what of this config differs from its experiment's at scale=paper, and from what.

    Compared are the data, the network, the training, the axes of the grid and the seeds, for the data set and the kind
    of network that the config names. Empty where no experiment is named.
    """
    from nc_runner.dotted import flatten, to_config

    if config.experiment is None:
        return ""
    words = [f"experiment={config.experiment}", f"data={config.data.name.name}", f"model={config.model.name.name}"]
    paper = to_config(composed(words))
    own, theirs = flatten(config), flatten(paper)
    passed_over = {"data.root", "data.path"} | ({"data.samples"} if config.data.per_class is not None else set())
    pairs = {
        key: (own[key], paper.grid.get(key, theirs[key]))
        for key in own
        if key.split(".")[0] in ("seeds", "data", "model", "train", "flow")
        and key not in passed_over
        and own[key] != theirs[key]
    } | {axis: (points, paper.grid.get(axis)) for axis, points in config.grid.items() if points != paper.grid.get(axis)}
    changes = ", ".join(f"{key} {_plain(value)} ({_plain(was)})" for key, (value, was) in pairs.items())
    return f"Changed from scale=paper: {changes}." if changes else "Sizes of scale=paper."


def _plain(value: Any) -> str:
    """A value as a person would write it; of a long list its first and last."""
    if value is None:
        return "null"
    if isinstance(value, list):
        shown = [_plain(item) for item in value]
        return f"[{', '.join(shown if len(shown) <= 3 else [shown[0], '...', shown[-1]])}]"
    return f"{value:g}" if isinstance(value, float) else str(value)

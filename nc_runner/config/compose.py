"""Where the YAML files are, and how Hydra puts a config together from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nc_runner.config.keys import axis_keys, flatten, to_config
from nc_runner.config.schema import Config
from nc_runner.errors import UserError

SCALES = ("paper", "cpu", "quick", "smoke")


def conf_dir() -> Path:
    """The folder of config files: inside an installed package, at the top of a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def experiment_names() -> list[str]:
    """Every experiment there is a config file for."""
    return sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))


def register() -> None:
    """Make the schema known to Hydra; safe to call twice."""
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().store(name="schema", node=Config)


def composed(overrides: list[str]) -> Any:
    """The config, a node of the schema, that these command-line words mean."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register()
    if GlobalHydra.instance().is_initialized():  # within a job, of which Hydra is in charge
        return compose("config", overrides)
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        return compose("config", overrides)


def check_scale(config: Config) -> None:
    """Refuse a scale that the experiment has no sizes for: Hydra would pass over it and run the paper's.

    Raises:
        UserError: ``conf/sizes/EXPERIMENT/SCALE.yaml`` is missing.
    """
    scale = config.scale.name
    sizes = conf_dir() / "sizes" / str(config.experiment)
    if config.experiment is not None and scale != "paper" and not (sizes / f"{scale}.yaml").is_file():
        there = ["paper", *(name for name in SCALES if (sizes / f"{name}.yaml").is_file())]
        raise UserError(
            f"scale={scale}: experiment={config.experiment} has no sizes for it in conf/sizes/{config.experiment}/; "
            f"allowed is {', '.join(there)}."
        )


def load_saved(path: Path) -> Any:
    """A config that Hydra saved, as a node of the schema."""
    from omegaconf import OmegaConf

    return OmegaConf.merge(OmegaConf.structured(Config), OmegaConf.load(path))


def changed_from_paper(config: Config) -> str:
    """One sentence with each key that differs from the experiment's at scale=paper, its value and the paper's.

    Compared are the data, the network, the training, the axes of the grid and the seeds, for the data set and the kind
    of network that the config names. Empty where no experiment is named.
    """
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
    }
    for axis, points in config.grid.items():
        pairs |= _changed_points(axis, points, paper.grid.get(axis))
    changes = ", ".join(f"{key} {_plain(value)} ({_plain(was)})" for key, (value, was) in pairs.items())
    return f"Changed from scale=paper: {changes}." if changes else "Sizes of scale=paper."


def _changed_points(axis: str, points: list[Any], were: list[Any] | None) -> dict[str, tuple[Any, Any]]:
    """What differs in an axis, and from what; of keys that vary together, only the keys and values that differ."""
    keys = axis_keys(axis)
    if points == were or len(keys) == 1 or were is None or len(points) != len(were):
        return {} if points == were else {axis: (points, were)}
    changed: dict[str, tuple[Any, Any]] = {}
    for key, values, was in zip(keys, zip(*points, strict=True), zip(*were, strict=True), strict=True):
        differing: list[tuple[Any, Any]] = []
        for pair in zip(values, was, strict=True):
            if pair[0] != pair[1] and pair not in differing:
                differing.append(pair)
        if len(differing) == 1:
            changed[key] = differing[0]
        elif differing:
            changed[key] = ([value for value, _ in differing], [old for _, old in differing])
    return changed


def _plain(value: Any) -> str:
    """A value as a person would write it; of a long list the first and the last item."""
    if value is None:
        return "null"
    if isinstance(value, list):
        shown = [_plain(item) for item in value]
        return f"[{', '.join(shown if len(shown) <= 3 else [shown[0], '...', shown[-1]])}]"
    return f"{value:g}" if isinstance(value, float) else str(value)

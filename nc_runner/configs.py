"""Where the YAML files are, and how Hydra is told about the schema and about sizes that depend on the scale."""

from __future__ import annotations

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

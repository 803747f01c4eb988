"""Where the YAML files are, and how Hydra puts a config together from them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nc_runner.config import outside
from nc_runner.config.files import check_yaml
from nc_runner.config.keys import axis_keys, flatten, to_config
from nc_runner.config.schema import Config
from nc_runner.config.words import readable
from nc_runner.errors import UserError

SCALES = ("paper", "cpu", "quick", "smoke")


def conf_dir() -> Path:
    """The folder of config files: inside an installed package, at the top of a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def experiment_names() -> list[str]:
    """Every experiment of ours: there is a config file for it."""
    return sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))


def known_names() -> list[str]:
    """Every experiment, of ours and of other packages."""
    return sorted({*experiment_names(), *outside.entries()})


def conf_of(experiment: str) -> Path:
    """The folder of config files that an experiment's are in; ours, where there is no such experiment.

    Raises:
        UserError: it is of another package, which has no file for it.
    """
    is_ours = experiment in experiment_names() or experiment not in outside.entries()
    return conf_dir() if is_ours else outside.conf_folder(experiment)


def register() -> None:
    """Make the schema and the config files of other packages known to Hydra; safe to call twice."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.plugins import Plugins

    from nc_runner.config.search_path import OtherPackages

    ConfigStore.instance().store(name="schema", node=Config)
    Plugins.instance().register(OtherPackages)


def composed(overrides: list[str]) -> Any:
    """The config, a node of the schema, that these command-line words mean.

    Raises:
        UserError: a word that is no ``key=value``.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    register()
    overrides = readable(overrides)
    check_yaml(own_files(overrides))
    if GlobalHydra.instance().is_initialized():  # within a job, of which Hydra is in charge
        return compose("config", overrides)
    with initialize_config_dir(str(conf_dir().resolve()), version_base="1.3"):
        return compose("config", overrides)


def own_files(words: list[str]) -> list[Path]:
    """The files of the experiments that these words name.

    Raises:
        UserError: one is of another package, which has no file for it.
    """
    names = [name for word in words if word.startswith("experiment=") for name in word.partition("=")[2].split(",")]
    found = []
    for name in names:
        conf = conf_of(name)
        found += [conf / "experiment" / f"{name}.yaml", *sorted((conf / "sizes" / name).glob("*.yaml"))]
    return found


def check_scale(config: Config) -> None:
    """Refuse a scale that the experiment has no sizes for: Hydra would pass over it and run the paper's.

    Raises:
        UserError: ``conf/sizes/EXPERIMENT/SCALE.yaml`` is missing.
    """
    scale = config.scale.name
    sizes = conf_of(str(config.experiment)) / "sizes" / str(config.experiment)
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


def changed_from_paper(config: Config, trials: Mapping[str, Sequence[Any]] | None = None) -> str:
    """In a sentence, what of a run differs from its experiment's at scale=paper, and what it is there, in brackets.

    Compared are the data, the network, the training and the seeds, for the data set and the kind of network that the
    config names; of a key that varies, all its values. Empty where no experiment is named.

    Args:
        trials: the values that each varied key and ``seed`` have in the trials of the run; the config's, where absent.
    """
    changes = [f"{key} {now} ({was})" for key, (now, was) in changed_keys(config, trials).items()]
    if config.experiment is None:
        return ""
    return f"Changed from scale=paper, whose values are in brackets: {', '.join(changes)}." if changes else AS_IN_PAPER


def changed_keys(config: Config, trials: Mapping[str, Sequence[Any]] | None = None) -> dict[str, tuple[str, str]]:
    """As :func:`changed_from_paper`: by key, what it is and what it was at scale=paper; ``seeds`` among them."""
    if config.experiment is None:
        return {}
    paper = at_paper_scale(config)
    varied = trials or values_on_axes(config) | {"seed": config.seed_list}
    own, theirs, on_axes = flatten(config), flatten(paper), values_on_axes(paper)
    passed_over = {"data.root", "data.path", "data.test"}
    if config.data.per_class is not None:
        passed_over |= {"data.samples"}
    changes: dict[str, tuple[str, str]] = {}
    if len(set(varied["seed"])) != len(paper.seed_list):
        changes["seeds"] = str(len(set(varied["seed"]))), str(len(paper.seed_list))
    for key in own:
        if key.split(".")[0] not in ("data", "model", "train", "flow") or key in passed_over:
            continue
        now, was = (_distinct(of.get(key, [flat[key]])) for of, flat in ((varied, own), (on_axes, theirs)))
        if now != was:
            changes[key] = _listed(now), _listed(was)
    return changes


def at_paper_scale(config: Config) -> Config:
    """Its experiment's config at scale=paper, for the data set and the kind of network that it names.

    Raises:
        UserError: there is no such experiment any more.
    """
    words = f"experiment={config.experiment}", f"data={config.data.name.name}", f"model={config.model.name.name}"
    return _at_paper_scale(conf_dir(), words)


@functools.cache
def _at_paper_scale(conf: Path, words: tuple[str, ...]) -> Config:
    """The config of these words in a folder of config files; kept, as several claims of a run ask for it."""
    return to_config(composed(list(words)))


AS_IN_PAPER = "Sizes of scale=paper."


def values_on_axes(config: Config) -> dict[str, list[Any]]:
    """The values that each key of the grid takes, point after point."""
    found: dict[str, list[Any]] = {}
    for axis, points in config.grid.items():
        keys = axis_keys(axis)
        for point in points:
            for key, value in zip(keys, point if len(keys) > 1 else [point], strict=True):
                found.setdefault(key, []).append(value)
    return found


def _distinct(values: Iterable[Any]) -> list[str]:
    """Each value once, as a person would write it, numbers in their order."""
    distinct = {_plain(value): value for value in values}
    numbers = all(isinstance(value, int | float) and value == value for value in distinct.values())  # NaN has no place
    return sorted(distinct, key=lambda text: distinct[text]) if numbers else sorted(distinct)


def _listed(texts: list[str]) -> str:
    """One value, or all of few, or the first and the last."""
    if len(texts) == 1:
        return texts[0]
    return f"[{', '.join(texts if len(texts) <= 3 else [texts[0], '...', texts[-1]])}]"


def _plain(value: Any) -> str:
    """A value as a person would write it."""
    if value is None or value != value:  # a table has NaN for null
        return "null"
    if isinstance(value, list):
        return _listed([_plain(item) for item in value])
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value)

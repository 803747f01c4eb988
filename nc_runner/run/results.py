"""A run folder read back: its config, and the tables that figures and claims are made from."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from nc_runner.config.compose import load_saved
from nc_runner.config.keys import flatten, replace, to_config
from nc_runner.config.schema import Config
from nc_runner.config.trials import effective
from nc_runner.errors import UserError
from nc_runner.experiments.base import Results
from nc_runner.record.folder import RunFolder
from nc_runner.run.alike import shared

# Versions before 0.2 saved configs whose sizes were chosen by resolvers of their own.
OLD_RESOLVERS = ("${at_scale:", "${case:")


def read_config(folder: RunFolder) -> Config:
    """The config of a run, as Hydra saved it; of a run of an old version, as its provenance has it.

    Raises:
        UserError: not a run folder, or an unreadable config.
    """
    path = folder.path / ".hydra" / "config.yaml"
    if not path.is_file():
        raise UserError(
            f"{folder.path}: is not a run folder (it has no .hydra/config.yaml); allowed are folders that nc-run made."
        )
    try:
        if any(old in path.read_text(encoding="utf-8") for old in OLD_RESOLVERS):
            return replace(Config(), folder.read_json("provenance.json")["config"])
        return to_config(load_saved(path))
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{path}: cannot be read ({str(error).splitlines()[0]}); restore the file or run the experiment again."
        ) from error


def read_overrides(folder: RunFolder) -> list[str]:
    """The command line's words that a run's config was composed from, as Hydra saved them."""
    from omegaconf import OmegaConf

    path = folder.path / ".hydra" / "overrides.yaml"
    try:
        words = OmegaConf.to_container(OmegaConf.load(path))
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: cannot be read ({reason}); start a new run instead.") from error
    return [str(word) for word in words] if isinstance(words, list) else []


def read_results(folders: Sequence[RunFolder]) -> Results:
    """The tables of one run, or of several of the same experiment put together; a trial in two of them counts once,
    from the first folder in which it has finished.

    A key on which the runs differ becomes a column of the trials' table, as if one grid had varied it.

    Raises:
        UserError: a folder that is no run, an unreadable table, runs of different experiments.
    """
    configs = [read_config(folder) for folder in folders]
    names = sorted({str(config.experiment) for config in configs})
    if len(names) > 1:
        raise UserError(f"plot: the folders hold different experiments ({', '.join(names)}); allowed are runs of one.")
    flats = [flatten(config) for config in configs]
    deciding = dict.fromkeys(key for flat in flats for key in effective(flat))  # a run may lack a key at its default
    differing = [key for key in deciding if any(flat[key] != flats[0][key] for flat in flats)]
    trials, metrics = [], []
    for folder, flat in zip(folders, flats, strict=True):
        table = folder.read_trials()
        for key in differing:
            if key not in table.columns:
                table.insert(3, key, str(flat[key]) if isinstance(flat[key], list) else flat[key])
        trials.append(table)
        metrics.append(folder.read_metrics())
    refuse_two_contents(folders, trials)
    every = pd.concat([table[["id", "status"]].assign(folder=i) for i, table in enumerate(trials)])
    owner = every.sort_values("status", key=lambda s: s == "unfinished", kind="stable").drop_duplicates("id")
    kept = [set(owner.loc[owner["folder"] == i, "id"]) for i in range(len(folders))]
    results = Results(
        configs[0],
        pd.concat([t[t["id"].isin(k)] for t, k in zip(trials, kept, strict=True)], ignore_index=True),
        pd.concat([m[m["trial"].isin(k)] for m, k in zip(metrics, kept, strict=True)], ignore_index=True),
        {trial: config for config, ids in zip(configs, kept, strict=True) for trial in ids},
    )
    return shared(results)


def refuse_two_contents(folders: Sequence[RunFolder], trials: Sequence[pd.DataFrame]) -> None:
    """Refuse runs whose trials have the same ids and were of other data, as versions before 0.2 could not tell.

    Raises:
        UserError: naming the two.
    """
    seen: dict[str, tuple[RunFolder, set[str]]] = {}
    for folder, table in zip(folders, trials, strict=True):
        known = folder.read_json("provenance.json") if (folder.path / "provenance.json").exists() else {}
        data = set(known.get("data_sha256", {}).values())
        for trial in table["id"]:
            other, theirs = seen.setdefault(trial, (folder, data))
            if data and theirs and data.isdisjoint(theirs):
                raise UserError(
                    f"plot: {other.path} and {folder.path} have the same trials of other data; allowed are runs of one "
                    "data set, or of version 0.2 and later, which tell them apart."
                )

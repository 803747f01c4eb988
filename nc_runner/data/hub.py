"""What the ``datasets`` library reads: the Hugging Face hub, and folders that are neither class folders nor parquet."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nc_runner.config.schema import DataConfig
from nc_runner.data.cache_folder import cache_folder
from nc_runner.data.image_files import chosen_columns
from nc_runner.data.labelled import Encoded, Labelled
from nc_runner.errors import AbsentDataError, UserError


def through_datasets(config: DataConfig, source: str, split: str = "train") -> Labelled:
    """What ``datasets.load_dataset`` reads, not yet decoded.

    Raises:
        AbsentDataError: it is not on the hub, or the hub cannot be reached.
        UserError: a library is missing, or a folder cannot be read.
    """
    give_a_cache()
    try:
        import datasets
    except ImportError as error:
        raise not_installed(config, "datasets") from error
    is_local = Path(source).is_dir()
    try:
        with quiet(datasets, progress_too=is_local), offline_if_unreachable(datasets, is_local):
            table = datasets.load_dataset(source, split=split)
    except Exception as error:  # of datasets, of the hub's client, of the network: dozens of classes
        kind = UserError if is_local else AbsentDataError
        raise kind(unreadable(config, source, is_local, error)) from error
    images = [name for name, kind in table.features.items() if isinstance(kind, datasets.Image)]
    what = f"data.name={config.name.name}: {source}"
    image, label = chosen_columns(table.features, images, config.columns, what)
    table = table.cast_column(image, datasets.Image(decode=False))

    def encoded(rows: np.ndarray) -> Iterator[Encoded]:
        for row, value in zip(rows, table.select(rows)[image], strict=True):
            content = (
                value["bytes"] if value and value["bytes"] else Path(value["path"]).read_bytes() if value else None
            )
            yield Encoded(f"row {row} of {source}", content)

    return Labelled(table[label][:], encoded)


def give_a_cache() -> None:
    """A folder of ours for what ``datasets`` keeps, where its own cannot be written; it reads HF_HOME when imported.

    What its own folder already has of the hub is still found.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.environ.get("HF_HOME") or Path(caches) / "huggingface").expanduser()
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        if os.access(home, os.W_OK | os.X_OK):
            return
    os.environ["HF_HOME"] = str(cache_folder() / "huggingface")
    if (home / "hub").is_dir():
        os.environ.setdefault("HF_HUB_CACHE", str(home / "hub"))


@contextmanager
def quiet(datasets: Any, *, progress_too: bool) -> Iterator[None]:
    """Without the hub's retries on the terminal, and without progress bars where nothing is downloaded."""
    hub = logging.getLogger("huggingface_hub")
    level, progress_bars = hub.level, datasets.is_progress_bar_enabled()
    hub.setLevel(logging.ERROR)
    if progress_too:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        hub.setLevel(level)
        if progress_bars:
            datasets.enable_progress_bars()


@contextmanager
def offline_if_unreachable(datasets: Any, is_local: bool) -> Iterator[None]:
    """Where the hub does not answer, take what its cache has, at once; its client would try again for half a minute."""
    import huggingface_hub

    endpoint = urllib.parse.urlsplit(huggingface_hub.constants.ENDPOINT)
    proxied = urllib.request.getproxies()
    reachable = is_local or bool(proxied) or datasets.config.HF_HUB_OFFLINE
    if not reachable:
        with contextlib.suppress(OSError):
            socket.create_connection((endpoint.hostname or "", endpoint.port or 443), timeout=3).close()
            reachable = True
    settings: list[Any] = [datasets.config, huggingface_hub.constants]
    before = [setting.HF_HUB_OFFLINE for setting in settings]
    if not reachable:
        for setting in settings:
            setting.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for setting, value in zip(settings, before, strict=True):
            setting.HF_HUB_OFFLINE = value


def unreadable(config: DataConfig, source: str, is_local: bool, error: Exception) -> str:
    """One sentence on a data set that could not be loaded."""
    reason = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
    if is_local:
        return (
            f"data.name={config.name.name}: {source} could not be read ({reason}); allowed is a folder of images with "
            "a train split."
        )
    instead = (
        "data.root or NC_DATA_ROOT, a folder that holds its parquet files"
        if config.path is None
        else "data.path, a folder of images"
    )
    return (
        f"data.name={config.name.name}: {source} could not be loaded from the Hugging Face hub ({reason}); allowed are "
        f"a name on the hub and a connection to it, or {instead}."
    )


def not_installed(config: DataConfig, library: str) -> UserError:
    """One sentence on a missing library."""
    return UserError(
        f"data.name={config.name.name}: needs {library}, which is not installed; pip install 'nc-runner[images]' "
        "installs it."
    )

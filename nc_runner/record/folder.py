"""The run folder: everything one command produced, and the only module that writes to it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nc_runner.errors import UserError
from nc_runner.record.drawings import write_drawing
from nc_runner.record.files import make, write_atomically, write_tensors, write_text

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image
    from torch import Tensor

    from nc_runner.figures.drawing import Drawing

METRIC_COLUMNS = ["trial", "epoch", "layer", "metric", "value"]


class RunFolder:
    """One run folder, by its path."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def claim(cls, path: Path, key: str, *, empty_is_free: bool = False) -> RunFolder:
        """A folder that no other run has: at ``path``, or beside it where that is taken.

        Args:
            key: what named the path, for what is said of it.
            empty_is_free: whether an empty folder may be taken, which Hydra makes for each job of a multirun.

        Raises:
            UserError: as :func:`~nc_runner.record.files.make`.
        """
        if empty_is_free and path.is_dir() and not any(path.iterdir()):
            with contextlib.suppress(FileExistsError):  # two jobs at once: one of them takes it
                (path / ".lock").touch(exist_ok=False)
                return cls(path)
        return cls(make(path, key))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for writing; the operating system lets go of it however the process ends.

        Raises:
            UserError: another process holds it.
        """
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UserError(
                    f"{self.path}: another nc-run is at work in this folder; wait for it to end."
                ) from error
            yield

    # Small records ---------------------------------------------------------------------------------------------

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON record; NaN becomes null, so that any JSON reader takes it."""
        text = json.dumps(_finite(content), indent=2, allow_nan=False) + "\n"
        write_text(self.path / name, text)

    def write_config(self, config: Any, hydra: Any, overrides: list[str]) -> None:
        """Write ``.hydra``, as Hydra itself would: the config, Hydra's own, and the command line's words."""
        from omegaconf import OmegaConf

        (self.path / ".hydra").mkdir(exist_ok=True)
        for name, content in (("config", config), ("hydra", hydra), ("overrides", OmegaConf.create(overrides))):
            write_text(self.path / ".hydra" / f"{name}.yaml", OmegaConf.to_yaml(content))

    def read_json(self, name: str) -> Any:
        """Read a JSON record.

        Raises:
            UserError: not there, or not JSON.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text())
        except FileNotFoundError as error:
            raise UserError(
                f"{self.path}: is not a run folder (it has no {name}); allowed are folders that nc-run made."
            ) from error
        except (OSError, ValueError) as error:
            raise UserError(
                f"{path}: cannot be read ({error}); restore the file or run the experiment again."
            ) from error

    def read_status(self) -> dict[str, Any]:
        """The content of status.json; empty where a run has only just begun."""
        status: dict[str, Any] = self.read_json("status.json") if (self.path / "status.json").exists() else {}
        return status

    def state(self) -> str:
        """What became of the run: as ``status.json`` says, but ``killed`` where it says running and nobody is at it."""
        state = str(self.read_status().get("state", "not begun"))
        if state != "running":
            return state
        try:
            with self.locked():
                return "killed"
        except UserError:
            return state

    def update_status(self, **changes: Any) -> None:
        """Change some fields of status.json."""
        self.write_json("status.json", self.read_status() | changes)

    # Tables ----------------------------------------------------------------------------------------------------

    def write_metrics(self, table: pd.DataFrame) -> None:
        """Write the tidy table of measurements."""
        write_atomically(self.path / "metrics.parquet", lambda path: table.to_parquet(path, index=False))

    def write_trials(self, table: pd.DataFrame) -> None:
        """Write one row a trial."""
        write_atomically(self.path / "trials.csv", lambda path: table.to_csv(path, index=False))

    def read_metrics(self) -> pd.DataFrame:
        """Read the tidy table of measurements.

        Raises:
            UserError: missing, truncated or not the table this program writes.
        """
        import pandas as pd

        table = self._read_table("metrics.parquet", pd.read_parquet)
        if list(table.columns) != METRIC_COLUMNS:
            raise UserError(
                f"{self.path / 'metrics.parquet'}: has the columns {list(table.columns)}; allowed are {METRIC_COLUMNS}."
            )
        return table

    def read_trials(self) -> pd.DataFrame:
        """Read one row a trial.

        Raises:
            UserError: missing or unreadable.
        """
        import pandas as pd

        # A norm called "none" is a name, not a missing value.
        return self._read_table(
            "trials.csv", lambda path: pd.read_csv(path, dtype={"id": str}, keep_default_na=False, na_values=[""])
        )

    def _read_table(self, name: str, read: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
        path = self.path / name
        if not path.exists():
            raise UserError(
                f"{self.path}: has no {name}; the run ended before it was written (nc-run resume goes on with it)."
            )
        try:
            return read(path)
        except Exception as error:
            reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            raise UserError(
                f"{path}: cannot be read, truncated or damaged ({reason}); run the experiment again."
            ) from error

    # Figures ---------------------------------------------------------------------------------------------------

    def write_drawing(self, name: str, drawing: Drawing, formats: Sequence[str] = ("png", "pdf")) -> None:
        """Write ``figures/NAME.png`` to look at, ``figures/NAME.pdf`` to publish and ``figures/NAME.md`` to read."""
        write_drawing(self.path / "figures", name, drawing, formats)

    def pictures(self, *suffixes: str) -> list[Path]:
        """The figures that were written as files of these kinds, those that are named after a paper's figure first."""
        written = (path for path in (self.path / "figures").glob("*") if path.suffix in suffixes)
        return sorted(written, key=lambda path: (not path.name.startswith("figure_"), path.name))

    def write_movie(self, name: str, frames: Sequence[Image], *, frame_ms: int = 180, last_ms: int = 3_000) -> None:
        """Write ``figures/NAME.gif`` from palette images; it repeats for ever and shows its last frame longer."""
        folder = self.path / "figures"
        folder.mkdir(exist_ok=True)
        durations = [frame_ms] * (len(frames) - 1) + [last_ms]

        def save(path: Path) -> None:
            frames[0].save(
                path, format="GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True
            )

        write_atomically(folder / f"{name}.gif", save)

    # Tensors ---------------------------------------------------------------------------------------------------

    def write_weights(self, trial: str, tensors: dict[str, Tensor]) -> None:
        """Write ``weights/TRIAL.safetensors``."""
        (self.path / "weights").mkdir(exist_ok=True)
        write_tensors(self.path / "weights" / f"{trial}.safetensors", tensors, {})

    def write_checkpoint(self, stack: str, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Write a stack's state and the JSON ``record`` of where it stands, as one file."""
        (self.path / "checkpoints").mkdir(exist_ok=True)
        write_tensors(self._checkpoint(stack), tensors, {"record": json.dumps(record)})

    def read_checkpoint(self, stack: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The last checkpoint of a stack, or None."""
        from safetensors import safe_open

        if not (path := self._checkpoint(stack)).exists():
            return None
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            return tensors, json.loads(file.metadata()["record"])

    def steps_done(self, stack: str) -> int:
        """The steps of a stack at its last checkpoint; 0 without one."""
        from safetensors import safe_open

        if not (path := self._checkpoint(stack)).exists():
            return 0
        with safe_open(path, framework="pt") as file:
            return int(json.loads(file.metadata()["record"])["step"])

    def remove_checkpoints(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)

    def _checkpoint(self, stack: str) -> Path:
        return self.path / "checkpoints" / f"{stack}.safetensors"


def _finite(content: Any) -> Any:
    """The same content with NaN and infinities, which JSON lacks, as null."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content

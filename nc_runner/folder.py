"""The run folder: everything one command produced, and the only module that writes to disk.

Every file is written to a temporary name in the same folder, flushed, fsynced and renamed, so that whoever reads
it, whenever the machine stopped, finds a whole file: the old one or the new one.
"""

from __future__ import annotations

import fcntl
import functools
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nc_runner.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from PIL.Image import Image
    from torch import Tensor

METRIC_COLUMNS = ["trial", "epoch", "layer", "metric", "value"]


def make(path: Path) -> Path:
    """Make a new folder at ``path``, or ``path_2``, ``path_3``, ... where it exists: two runs never share one.

    Raises:
        UserError: a folder that cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, 10_000):
            candidate = path if attempt == 1 else path.with_name(f"{path.name}_{attempt}")
            try:
                candidate.mkdir()
            except FileExistsError:
                continue
            if not os.access(candidate, os.W_OK):
                raise PermissionError(13, "Permission denied")
            return candidate
    except OSError as error:
        raise UserError(
            f"hydra.run.dir={path}: cannot be written ({error.strerror}); allowed is where a folder can be made."
        ) from error
    raise UserError(f"hydra.run.dir={path}: exists with every suffix up to 9999; allowed is a new folder.")


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then flush, fsync and rename it."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class RunFolder:
    """One run folder, by its path."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

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
        write_atomically(self.path / name, lambda path: path.write_text(text))

    def read_json(self, name: str) -> Any:
        """Read a JSON record.

        Raises:
            UserError: not there, or not JSON.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text())
        except FileNotFoundError as error:
            raise UserError(f"{self.path}: is not a run folder (it has no {name}).") from error
        except (OSError, ValueError) as error:
            raise UserError(
                f"{path}: cannot be read ({error}); restore the file or run the experiment again."
            ) from error

    def update_status(self, **changes: Any) -> None:
        """Change some fields of status.json."""
        current = self.read_json("status.json") if (self.path / "status.json").exists() else {}
        self.write_json("status.json", current | changes)

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
                f"{self.path / 'metrics.parquet'}: has columns {list(table.columns)}, expected {METRIC_COLUMNS}."
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

    def write_figure(self, name: str, figure: Figure) -> None:
        """Write ``figures/NAME.png`` to look at and ``figures/NAME.pdf`` to publish."""
        folder = self.path / "figures"
        folder.mkdir(exist_ok=True)
        # Neither names the time or the program's version, so that drawing again gives the same file.
        for suffix, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
            write_atomically(folder / f"{name}.{suffix}", functools.partial(figure.savefig, metadata=metadata))

    def write_movie(self, name: str, frames: Sequence[Image], *, frame_ms: int = 180, last_ms: int = 3_000) -> None:
        """Write ``figures/NAME.gif`` of palette images; it plays for ever and holds its last frame longer."""
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
        _write_tensors(self.path / "weights" / f"{trial}.safetensors", tensors, {})

    def write_checkpoint(self, stack: str, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Write a stack's state and the JSON ``record`` of where it stands, as one file."""
        (self.path / "checkpoints").mkdir(exist_ok=True)
        _write_tensors(self._checkpoint(stack), tensors, {"record": json.dumps(record)})

    def read_checkpoint(self, stack: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The last checkpoint of a stack, or None."""
        from safetensors import safe_open

        path = self._checkpoint(stack)
        if not path.exists():
            return None
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            return tensors, json.loads(file.metadata()["record"])

    def remove_checkpoints(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)

    def _checkpoint(self, stack: str) -> Path:
        return self.path / "checkpoints" / f"{stack}.safetensors"


def _write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    from safetensors.torch import save_file

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, lambda temporary: save_file(contiguous, temporary, metadata=metadata))


def _finite(content: Any) -> Any:
    """The same content with NaN and infinities, which JSON lacks, as null."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content

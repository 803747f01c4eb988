"""What Hydra calls: the callbacks around runs and multiruns, and the job itself.

Nothing is written into a folder before this run has claimed it, whatever is raised where. So the config is saved here
and not by Hydra, which would write it into whatever lies at ``hydra.run.dir``.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict, read_write

from nc_runner.cli.terminal import noting
from nc_runner.config.keys import to_config
from nc_runner.errors import UserError, broke, refuse
from nc_runner.record.folder import RunFolder
from nc_runner.run.stopping import heeding

if TYPE_CHECKING:
    from nc_runner.run.plan import Plan
    from nc_runner.run.stopping import Stopped

log = logging.getLogger(__name__)

STOPPED = 128  # exit codes above it are a signal's

# Exit codes of the jobs of this process. Hydra swallows or decorates what a job raises, so a job never raises.
_exit_codes: list[int] = []

# The plan and the folder that the callback made, on their way to the job of the same process.
_planned: list[tuple[Plan, RunFolder]] = []

# The folders that this process has claimed.
_claimed: list[RunFolder] = []


def exit_code() -> int:
    """The worst exit code of the jobs run here."""
    return max(_exit_codes, default=0)


def interrupted(by: Stopped) -> None:
    """Say of a run that was stopped before it began that it was; leave no folder behind that nothing goes on with."""
    for folder in _claimed:
        if not (folder.path / ".hydra" / "config.yaml").exists():
            shutil.rmtree(folder.path, ignore_errors=True)  # made by this process, which has written no config yet
        elif not folder.read_status():
            with contextlib.suppress(UserError):  # a full disk
                folder.update_status(state="interrupted", reason=by.name)
            print(f"Interrupted ({by.name}) before it began. Go on with: nc-run resume {folder.path}")


class RunFolders(Callback):
    """Plans a run and claims a new folder before anything is written, and merges a multirun at its end."""

    def on_run_start(self, config: Any, **_: Any) -> None:
        """Refuse what cannot run; then claim the run's folder, under a name no other run has."""
        try:
            with heeding():
                with noting("Loading the program"):
                    from nc_runner.run.plan import make_plan
                with noting("Loading the data"):
                    own = settled(_without_hydra(config))
                    plan = make_plan(to_config(own), list(config.hydra.overrides.task))
            folder = RunFolder.claim(Path(config.hydra.run.dir), "hydra.run.dir")
        except UserError as error:
            raise SystemExit(refuse(error)) from error  # Hydra turns any Exception of a callback into a warning
        except Exception as error:
            raise SystemExit(broke(error)) from error
        _claimed.append(folder)
        _planned.append((plan, folder))
        with read_write(config), open_dict(config):
            config.hydra.run.dir = str(folder.path)
            config.data = own.data

    def on_multirun_start(self, config: Any, **_: Any) -> None:
        """Make the sweep's folder, for this configuration and for those of its jobs."""
        from nc_runner.record.files import make

        own = copy.deepcopy(config)
        if own.experiment is None:  # several, which are no one's folder
            with read_write(own):
                own.experiment = "multirun"
        try:
            folder = make(Path(own.hydra.sweep.dir), "hydra.sweep.dir")
        except UserError as error:
            raise SystemExit(refuse(error)) from error
        except Exception as error:
            raise SystemExit(broke(error)) from error
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = str(folder)
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={folder}")

    def on_multirun_end(self, config: Any, **_: Any) -> None:
        """Plot what the completed jobs have, in one figure, and name the jobs that failed."""
        _exit_codes.append(_merged(Path(config.hydra.sweep.dir)))


def run_job(node: Any) -> None:
    """One run, in a folder that is its own."""
    with heeding():
        from nc_runner.run.plan import make_plan
        from nc_runner.run.run import run

    hydra = HydraConfig.get()
    overrides = list(hydra.overrides.task)
    try:
        if _planned:
            plan, folder = _planned.pop()
        else:
            folder = RunFolder.claim(Path(hydra.runtime.output_dir), "hydra.sweep.subdir", empty_is_free=True)
            _claimed.append(folder)
            folder.write_config(node, HydraConfig.instance().cfg, overrides)
            node = settled(node)
            with heeding():
                plan = make_plan(to_config(node), overrides)
        folder.write_config(node, HydraConfig.instance().cfg, overrides)
        code = run(plan, folder)
    except UserError as error:
        folder.update_status(state="failed", reason=str(error))
        code = refuse(error)
    except Exception as error:
        folder.update_status(state="failed", reason=f"{type(error).__name__}: {error}")
        code = broke(error)
    _exit_codes.append(code)
    if code > STOPPED and hydra.mode is RunMode.MULTIRUN:  # a request to stop is one to stop the sweep
        _merged(Path(hydra.sweep.dir))
        raise SystemExit(code)


def settled(node: Any) -> Any:
    """The config with where data lie written out, so that it means the same from any folder and at any later time.

    Raises:
        UserError: what looks like a folder is not there.
    """
    from nc_runner.data.image_sources import settled_path, settled_root

    own = copy.deepcopy(node)
    with read_write(own), open_dict(own):
        own.data.path, own.data.root = settled_path(own.data.path), settled_root(own.data.root)
        if "data.path" in own.grid:
            own.grid["data.path"] = [settled_path(path) for path in own.grid["data.path"]]
    return own


def _merged(folder: Path) -> int:
    from nc_runner.run.replot import merge_multirun

    try:
        return merge_multirun(folder)
    except UserError as error:
        return refuse(error)
    except Exception as error:
        return broke(error)


def _without_hydra(config: Any) -> Any:
    own = copy.deepcopy(config)
    OmegaConf.set_readonly(own, False)
    with open_dict(own):
        own.pop("hydra", None)
    return own

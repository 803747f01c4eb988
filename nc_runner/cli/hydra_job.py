"""What Hydra calls: the callback that gives each run its own folder, the job itself, and the end of a multirun."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import OmegaConf, open_dict, read_write

from nc_runner.config.keys import to_config
from nc_runner.errors import UserError, refuse
from nc_runner.record.files import make
from nc_runner.record.folder import RunFolder

if TYPE_CHECKING:
    from nc_runner.run.plan import Plan

log = logging.getLogger(__name__)

# Exit codes of the jobs of this process. Hydra hides or rewords what a job raises, so a job never raises.
_exit_codes: list[int] = []

# The plan that the callback made, on its way to the job of the same process.
_planned: list[Plan] = []


def exit_code() -> int:
    """The worst exit code of the jobs run here."""
    return max(_exit_codes, default=0)


class RunFolders(Callback):
    """Plans a run and claims a new folder before Hydra writes anything, and merges a multirun at its end."""

    def on_run_start(self, config: Any, **_: Any) -> None:
        """Refuse what cannot run; then make the run's folder under a name no other run has."""
        from nc_runner.run.plan import make_plan

        try:
            _planned.append(make_plan(to_config(_without_hydra(config)), list(config.hydra.overrides.task)))
            folder = make(Path(config.hydra.run.dir))
        except UserError as error:
            raise SystemExit(refuse(error)) from error  # Hydra turns any Exception of a callback into a warning
        with read_write(config), open_dict(config):
            config.hydra.run.dir = str(folder)

    def on_multirun_start(self, config: Any, **_: Any) -> None:
        """Make the sweep's folder, for this configuration and for those of its jobs."""
        try:
            folder = make(Path(config.hydra.sweep.dir))
        except UserError as error:
            raise SystemExit(refuse(error)) from error
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = str(folder)
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={folder}")

    def on_multirun_end(self, config: Any, **_: Any) -> None:
        """Plot what the completed jobs have, in one figure, and name the jobs that failed."""
        from nc_runner.run.replot import merge_multirun

        try:
            _exit_codes.append(merge_multirun(Path(config.hydra.sweep.dir)))
        except UserError as error:
            _exit_codes.append(refuse(error))


def run_job(node: Any) -> None:
    """One run, in the folder Hydra made for it."""
    from nc_runner.run.plan import make_plan
    from nc_runner.run.run import run

    hydra = HydraConfig.get()
    folder = RunFolder(hydra.runtime.output_dir)
    try:
        plan = _planned.pop() if _planned else make_plan(to_config(node), list(hydra.overrides.task))
        code = run(plan, folder)
    except UserError as error:
        folder.update_status(state="failed", reason=str(error))
        code = refuse(error)
    except Exception as error:
        folder.update_status(state="failed", reason=f"{type(error).__name__}: {error}")
        log.exception("the run failed")
        code = 1
    _exit_codes.append(code)


def _without_hydra(config: Any) -> Any:
    own = copy.deepcopy(config)
    OmegaConf.set_readonly(own, False)
    with open_dict(own):
        own.pop("hydra", None)
    return own

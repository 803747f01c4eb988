"""When the trials of a run are measured."""

from __future__ import annotations

import numpy as np

from nc_runner.config.choices import Method, Spacing
from nc_runner.config.schema import Config


def probe_epochs(config: Config) -> set[int]:
    """Epochs from 1 to the last, about ``probes`` of them, the last always among them; log-spaced or linear.

    The epochs of a gradient flow are its output times, and each is measured.
    """
    epochs = config.train.epochs
    if config.train.method is Method.flow:
        return set(range(1, epochs + 1))
    spaced = np.linspace if config.probe_spacing is Spacing.linear else np.geomspace
    return {int(e) for e in spaced(1, epochs, config.probes).round()} | {epochs}

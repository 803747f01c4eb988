"""Measures of a network while Lightning trains it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch

from ._callbacks import Batches, attempt, check_every, in_order, measured, share

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ModuleNotFoundError as error:
    if error.name != "lightning":
        raise
    raise ModuleNotFoundError(
        "nc_runner.measure.lightning needs lightning, which is not installed; pip install 'nc-runner[lightning]' "
        "brings it.",
        name="lightning",
    ) from None


class NeuralCollapseCallback(Callback):  # type: ignore[misc]
    """Every few epochs and at the end of training, all measures of all layers, as "nc/LAYER/MEASURE".

    ::

        Trainer(callbacks=[NeuralCollapseCallback(every=5, positions="mean", second_pass=True)])

    They go to every logger of the trainer at the epoch's step, and to ``trainer.callback_metrics``, so that checkpoints
    and early stopping can watch them. The network runs in eval mode, without gradients and autocast; its weights, modes
    and random numbers are those of a training without the callback.

    Args:
        loader: batches as ``collect`` takes them. By default the data set of the training loader: each sample once,
            also where the training draws some of them twice or leaves out the last, and as it comes out of the data
            set, so augmented where that augments; with ``limit_train_batches`` or ``overfit_batches`` as many batches,
            from its beginning. To measure samples unaugmented or held-out, give their loader. Either way batches pass
            the hooks ``on_before_batch_transfer`` to ``on_after_batch_transfer``. Of several processes each measures
            its share, and the first logs; a loader that is given has all samples in the same order in each of them.
        every: epochs from one measurement to the next.
        network: the name of the module that is measured, where the LightningModule has no ``forward``, as "net".
        asked: what ``collect`` takes, as ``layers=``, ``positions=``, ``second_pass=``; and ``pairs=`` as in
            ``Accumulator.compute``.

    Raises:
        ValueError: ``every`` is below 1; and before the first epoch what ``collect`` refuses, or training data of which
            it is not known which samples they are, as of a ``SubsetRandomSampler`` or an iterable data set.
    """

    def __init__(self, loader: Iterable[Any] | None = None, *, every: int = 1, network: str = "", **asked: Any) -> None:
        self.loader, self.every, self.network, self.asked = loader, check_every(every), network, asked

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find mistakes before the first epoch."""
        attempt(pl_module.get_submodule(self.network), self._batches(trainer, pl_module), **self.asked)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure, where it is the epoch for it."""
        if (trainer.current_epoch + 1) % self.every == 0:
            self._log(trainer, pl_module, trainer.current_epoch)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure, where the last epoch was not the epoch for it."""
        if trainer.current_epoch % self.every != 0:  # it is counted by now
            self._log(trainer, pl_module, trainer.current_epoch - 1)

    def _batches(self, trainer: Trainer, pl_module: LightningModule) -> Batches:
        training: Any = trainer.train_dataloader

        def prepare(batch: Any) -> Any:
            # As Lightning's own loops do it.
            batch = pl_module._on_before_batch_transfer(trainer.precision_plugin.convert_input(batch))
            return trainer.strategy.batch_to_device(batch)

        if self.loader is not None and self.loader is not training:
            return replace(share(self.loader), prepare=prepare)
        loader, most = in_order(training), trainer.num_training_batches
        return Batches(loader, stop=int(most) if most < len(training) else None, prepare=prepare)

    def _log(self, trainer: Trainer, pl_module: LightningModule, epoch: int) -> None:
        values = measured(pl_module.get_submodule(self.network), self._batches(trainer, pl_module), **self.asked)
        trainer.callback_metrics.update(
            {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
        )
        step = trainer.fit_loop.epoch_loop._batches_that_stepped - 1  # that of the epoch's other values
        for logger in trainer.loggers:
            logger.log_metrics({**values, "epoch": epoch}, step=step)

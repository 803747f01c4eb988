"""Measures of a network while the Trainer of Hugging Face's transformers trains it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ._callbacks import Batches, attempt, check_every, in_order, measured, share

try:
    from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ModuleNotFoundError as error:
    if error.name != "transformers":
        raise
    raise ModuleNotFoundError(
        "nc_runner.measure.transformers needs transformers, which is not installed; "
        "pip install 'nc-runner[transformers]' brings it.",
        name="transformers",
    ) from None


class NeuralCollapseCallback(TrainerCallback):  # type: ignore[misc]
    """Every few epochs and at the end of training, all measures of all layers, as "nc/LAYER/MEASURE".

    ::

        trainer = Trainer(model, train_dataset=..., args=...)
        trainer.add_callback(NeuralCollapseCallback(trainer, every=5, positions="first"))

    They go through ``trainer.log``, so to ``state.log_history`` and to what ``report_to`` names; a callback can log in
    no other way, so it needs the trainer. The network runs in eval mode without gradients; its weights, modes and
    random numbers, and what else is logged, are those of a training without the callback.

    Args:
        trainer: the one that the callback is added to.
        loader: batches as ``collect`` takes them. By default the training set: each sample once, also where the
            training leaves out the last, by the collator of training, and as it comes out of the data set, so augmented
            where that augments. To measure samples unaugmented or held-out, give their loader. Of several processes
            each measures its share; a loader that is given has all samples in the same order in each of them.
        every: epochs from one measurement to the next.
        asked: what ``collect`` takes, as ``layers=``, ``positions=``, ``next_token=``; and ``pairs=`` as in
            ``Accumulator.compute``, to be False for a large vocabulary.

    Raises:
        ValueError: ``every`` is below 1; and before the first epoch what ``collect`` refuses, or training data of which
            it is not known which samples they are, as of an iterable data set or a sampler that groups by length.
    """

    def __init__(self, trainer: Trainer, loader: Iterable[Any] | None = None, *, every: int = 1, **asked: Any) -> None:
        self.trainer, self.loader, self.every, self.asked = trainer, loader, check_every(every), asked
        self._measured: int | None = None  # the step at which it was done last

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Find mistakes before the first epoch."""
        self._measured = None
        attempt(self.trainer.model, self._batches(), **self.asked)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure, where it is the epoch for it or the last one."""
        # An epoch that was not finished counts as one.
        if math.ceil(state.epoch) % self.every == 0 or control.should_training_stop:
            self._log(state, control)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Measure, where training was ended after an epoch: the network that it leaves, be it the best one loaded."""
        if self._measured != state.global_step:
            self._log(state, control)

    def _batches(self) -> Batches:
        if self.loader is not None:
            return share(self.loader)
        return Batches(in_order(self.trainer.callback_handler.train_dataloader))

    def _log(self, state: TrainerState, control: TrainerControl) -> None:
        values = measured(self.trainer.model, self._batches(), **self.asked)
        self._measured = state.global_step
        # Logging takes back the wish to log what the Trainer itself has to say of the epoch.
        wished = control.should_log
        self.trainer.log(values)
        control.should_log = wished

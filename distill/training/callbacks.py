"""What happens around the steps: the best weights kept, progress told, half a training saved, figures logged."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers.logger import Logger
from torch import nn

from distill.contracts import Progress, RunLog
from distill.errors import InterruptedRunError
from distill.model_folder import load_weights, save_weights


class KeepBest(Callback):
    """Keeps the weights of the best validation, and stops after `patience` validations without a better one."""

    def __init__(self, path: Path, network: nn.Module, metric_name: str, patience: int | None) -> None:
        self._path, self._network, self._metric_name, self._patience = path, network, metric_name, patience
        self.best, self.best_step, self.validations_since = float("-inf"), 0, 0

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare with the best so far; the first of equals stays."""
        value = float(trainer.callback_metrics[self._metric_name])
        if value > self.best:
            self.best, self.best_step, self.validations_since = value, trainer.global_step, 0
            _write_whole(self._path, lambda aside: save_weights(self._network, aside))
            return
        self.validations_since += 1
        if self._patience is not None and self.validations_since >= self._patience:
            trainer.should_stop = True

    def restore(self) -> None:
        """Put the best weights back."""
        load_weights(self._network, self._path)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"best": self.best, "best_step": self.best_step, "validations_since": self.validations_since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]
        self.validations_since = state_dict["validations_since"]


class SaveProgress(Callback):
    """Saves a checkpoint from time to time, and at once when the process is asked to stop.

    Never right at a validation: Lightning would then have to know which half of that moment was done.
    """

    def __init__(
        self, path: Path, *, every_seconds: float, steps_per_validation: int, stopping: Callable[[], bool]
    ) -> None:
        self._path, self._every, self._interval = path, every_seconds, steps_per_validation
        self._stopping, self._saved_at = stopping, time.monotonic()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save when it is time."""
        stop = self._stopping()
        due = stop or time.monotonic() - self._saved_at >= self._every
        if not due or (batch_idx + 1) % self._interval == 0:
            if stop and self._interval == 1:
                raise InterruptedRunError
            return
        _write_whole(self._path, trainer.save_checkpoint)
        self._saved_at = time.monotonic()
        if stop:
            raise InterruptedRunError


class TellProgress(Callback):
    """Tells how many steps are done, about once a second."""

    def __init__(self, progress: Progress, metric_name: str, total_steps: int) -> None:
        self._progress, self._metric_name, self._total = progress, metric_name, total_steps
        self._told_at = 0.0

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Tell the step, with the last validation figure."""
        if time.monotonic() - self._told_at < 1 and batch_idx + 1 < self._total:
            return
        self._told_at = time.monotonic()
        value = trainer.callback_metrics.get(self._metric_name)
        note = "" if value is None else f"{self._metric_name} {float(value):.4f}"
        self._progress.advance(batch_idx + 1, self._total, note)


class RunLogger(Logger):
    """Lightning's figures, handed to our own run log: a second door to a dashboard would be one too many."""

    def __init__(self, log: RunLog) -> None:
        super().__init__()
        self._log = log

    @property
    def name(self) -> str:
        """Unused by us."""
        return "distill"

    @property
    def version(self) -> str:
        """Unused by us."""
        return ""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record figures, but for Lightning's own epoch counter, which counts nothing here."""
        self._log.metrics({k: float(v) for k, v in metrics.items() if k != "epoch"}, step or 0)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the resolved experiment is logged once for the run."""

    def rewind(self, step: int) -> None:
        """Forget what was recorded after a step, since it will be recorded again."""
        self._log.rewind(step)


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Replace a file in one step, and leave no half of one where the disk is full."""
    aside = path.with_suffix(".partial")
    try:
        write(aside)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise

"""The one place that builds a Trainer: train a network, resume it, and leave it with its best weights."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from pytorch_lightning import Trainer

from distill.config.base import TrainingConfig
from distill.contracts import Objective, Task, TextClassifier, Workbench
from distill.corpus import Split
from distill.interruption import deferred
from distill.training.batches import BatchOrder, TrainingBatches, TrainingSet, ValidationBatches
from distill.training.callbacks import KeepBest, RunLogger, SaveProgress, TellProgress
from distill.training.module import DistillationModule
from distill.training.recipe import Recipe

VALIDATION_BATCH = 64
ACCELERATORS = {"cpu": "cpu", "cuda": "gpu", "mps": "mps"}


@dataclass(frozen=True)
class Schedule:
    """How many optimiser steps there are, and after how many validation is read."""

    steps_per_validation: int
    total_steps: int

    @classmethod
    def for_rows(cls, rows: int, settings: TrainingConfig) -> Schedule:
        """Return the schedule that `rows` texts give; every arm of a comparison uses the same."""
        steps_per_epoch = math.ceil(rows / settings.batch_size)
        interval = max(1, round(steps_per_epoch / settings.validations_per_epoch))
        return cls(interval, interval * settings.validations_per_epoch * settings.max_epochs)


@dataclass(frozen=True)
class TrainingSummary:
    """How a training went: steps done, the validation metric of the weights that were kept, and at which step."""

    steps: int
    best_step: int
    metric_name: str
    best: float

    def as_dict(self) -> dict[str, float | int]:
        """Return plain data for a report."""
        return {"steps": self.steps, "best_step": self.best_step, self.metric_name: self.best}


def fit(
    classifier: TextClassifier,
    objective: Objective,
    training_set: TrainingSet,
    validation: Split,
    task: Task,
    *,
    recipe: Recipe,
    schedule: Schedule,
    seed: int,
    bench: Workbench,
) -> TrainingSummary:
    """Train `classifier.network` in place; it ends with the weights of the best validation, in evaluation mode.

    Args:
        classifier: tokenizer and network.
        objective: the loss.
        training_set: texts, labels and, where the objective asks for them, teacher logits.
        validation: labelled texts that choose the weights.
        task: what is predicted.
        recipe: settings, precision, hardware.
        schedule: optimiser steps in all and between validations.
        seed: orders batches and seeds dropout.
        bench: `scratch` holds the checkpoint from which a killed training goes on.

    Raises:
        TrainingDivergedError: a gradient or a validation logit stopped being finite.
        InterruptedRunError: the process was asked to stop; a checkpoint is in `scratch`.
    """
    settings, hardware = recipe.settings, recipe.hardware
    torch.set_num_threads(hardware.threads)
    tokenizer = classifier.tokenizer
    encodings = tokenizer.encode(training_set.texts)
    lengths = [len(next(iter(encoding.values()))) for encoding in encodings]
    order = BatchOrder(lengths, settings.batch_size, seed=seed, bucket_by_length=settings.bucket_by_length)
    batches = TrainingBatches(
        order,
        encodings,
        training_set,
        tokenizer.pad_values,
        steps=schedule.total_steps,
        micro_batch_size=settings.micro_batch_size,
    )
    module = DistillationModule(
        classifier.network, objective, task, validation, settings, total_steps=schedule.total_steps, seed=seed
    )
    checkpoint = bench.scratch / "last.ckpt"
    keep_best = KeepBest(
        bench.scratch / "best.safetensors", classifier.network, module.metric_name, settings.patience
    )
    with deferred() as stopping, _quiet_lightning():
        trainer = Trainer(
            max_epochs=1,  # one long epoch: the order of batches knows its own epochs
            val_check_interval=schedule.steps_per_validation,
            accelerator=ACCELERATORS[hardware.device],
            devices=1,
            precision="bf16-mixed" if recipe.precision == "bf16" else "32-true",
            logger=RunLogger(bench.log),
            log_every_n_steps=1,
            callbacks=[
                keep_best,
                TellProgress(bench.progress, module.metric_name, schedule.total_steps),
                SaveProgress(
                    checkpoint,
                    every_seconds=recipe.checkpoint_seconds,
                    steps_per_validation=schedule.steps_per_validation,
                    stopping=stopping,
                ),
            ],
            default_root_dir=bench.scratch,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        trainer.fit(
            module,
            train_dataloaders=batches,
            val_dataloaders=ValidationBatches(
                tokenizer.encode(validation.texts), tokenizer.pad_values, VALIDATION_BATCH
            ),
            ckpt_path=checkpoint if checkpoint.is_file() else None,
            weights_only=True,
        )
    keep_best.restore()
    classifier.network.to("cpu").eval()
    return TrainingSummary(trainer.global_step, keep_best.best_step, module.metric_name, keep_best.best)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's tips and banners out of our own progress."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")
            warnings.filterwarnings("ignore", message=r"The '\w+_dataloader' does not have many workers")
            warnings.filterwarnings("ignore", message="GPU available but not used")
            yield
    finally:
        logger.setLevel(level)

"""One run: a student learns by one objective from one seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from distill.config.base import ObjectiveConfig, StudentConfig
from distill.contracts import BuildContext, Workbench
from distill.corpus import Corpus, LogitTable
from distill.trained_model import write_trained_model
from distill.training import Recipe, Schedule, TrainingSet, fit


def train_student(
    config: StudentConfig,
    objective_config: ObjectiveConfig,
    context: BuildContext,
    corpus: Corpus,
    soft_targets: Path | None,
    *,
    recipe: Recipe,
    bench: Workbench,
) -> None:
    """Write the student's model folder, with its graph, `training.json` and `coverage.json`.

    The schedule is the same for every objective: a control that reads labelled texts only does as many optimiser
    steps as the student that reads the transfer set too.
    """
    torch.set_num_threads(recipe.hardware.threads)
    torch.manual_seed(context.seed)
    classifier = config.build(context)
    objective = objective_config.build(corpus.task, corpus.label_counts())
    summary = fit(
        classifier,
        objective,
        make_training_set(corpus, objective_config, soft_targets),
        corpus.validation,
        corpus.task,
        recipe=recipe,
        schedule=Schedule.for_rows(len(corpus.train) + len(corpus.transfer), recipe.settings),
        seed=context.seed,
        bench=bench,
    )
    how = {"fitted": "gradient descent", "precision": recipe.precision, **summary.as_dict()}
    write_trained_model(bench.result, classifier, config, corpus, "student", how)


def make_training_set(corpus: Corpus, objective: ObjectiveConfig, soft_targets: Path | None) -> TrainingSet:
    """Return what the objective can learn from: labelled texts, and the transfer set where a teacher speaks."""
    train, transfer = corpus.train, corpus.transfer
    if not objective.needs_soft_targets or soft_targets is None:
        return TrainingSet(train.texts, train.labels)
    parts = [LogitTable.load(soft_targets / "train.parquet").rows(train.ids)]
    texts, labels = list(train.texts), [train.labels]
    if len(transfer) and not objective.needs_labels:
        parts.append(LogitTable.load(soft_targets / "transfer.parquet").rows(transfer.ids))
        texts += transfer.texts
        labels.append(transfer.labels)
    return TrainingSet(texts, np.concatenate(labels), np.concatenate(parts))

"""Every figure of a split: quality, calibration, and how close a student is to its teacher."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from distill.inference import probabilities
from distill.metrics import (
    average_precision,
    defined_labels,
    f1_by_label,
    known_rows,
    label_columns,
    macro,
    micro_f1,
    ranking_scores,
    roc_auc,
)
from distill.objectives.soft_target import SoftTargetLoss
from distill.stages.evaluation.calibration import Calibration, best_threshold, decide, log_loss
from distill.stages.evaluation.reliability import calibration_error

if TYPE_CHECKING:
    from distill.contracts import Array, FloatArray, Task
    from distill.metrics import Doubles

Scores: TypeAlias = "dict[str, float | int | None]"


@dataclass(frozen=True)
class Answers:
    """A model's logits [N, C] on a split, with the split's labels and what validation has fixed."""

    task: Task
    logits: FloatArray
    labels: Array
    calibration: Calibration

    @cached_property
    def columns(self) -> Doubles:
        """The labels, [N, C], NaN where unknown."""
        return label_columns(self.task, self.labels)

    @cached_property
    def any_column(self) -> Doubles:
        """Whether any label holds, [N, 1]: NaN where none is known to, but not all are known not to."""
        holds = (self.columns == 1).any(axis=1, keepdims=True)
        unknown = np.isnan(self.columns).any(axis=1, keepdims=True) & ~holds
        return np.where(unknown, np.nan, holds.astype(np.float64))

    @cached_property
    def probabilities(self) -> FloatArray:
        """Calibrated probabilities, [N, C]."""
        return probabilities(self.logits, self.task, self.calibration.temperature)

    @cached_property
    def decisions(self) -> Array:
        """What is predicted, bool [N, C]."""
        return decide(self.task, self.probabilities, self.calibration)

    @cached_property
    def ranking(self) -> Doubles:
        """Scores in the order of the probabilities, [N, C]."""
        return ranking_scores(self.task, self.logits)


@dataclass(frozen=True)
class LabelScores:
    """The figures of one label; None where it has no positive or no negative example."""

    label: str
    positives: int
    known: int
    ap: float | None
    roc_auc: float | None
    f1: float | None
    threshold: float | None


def label_table(answers: Answers) -> list[LabelScores]:
    """Return a row for each label."""
    f1 = f1_by_label(answers.decisions, answers.columns)
    rows = zip(answers.task.label_names, known_rows(answers.ranking, answers.columns), f1, strict=True)
    thresholds = answers.calibration.thresholds
    return [_row(name, scores, truth, each, thresholds.get(name)) for name, (scores, truth), each in rows]


def any_label(answers: Answers, validation: Answers) -> LabelScores:
    """Return the row of "any label at all", scored by the highest one; its threshold is from validation."""
    threshold = best_threshold(*next(known_rows(_highest(validation.probabilities), validation.any_column)))
    f1 = f1_by_label(_highest(answers.probabilities) >= threshold, answers.any_column)[0]
    return _row("any label", *next(known_rows(_highest(answers.ranking), answers.any_column)), f1, threshold)


def _highest(scores: Array) -> Array:
    return np.asarray(scores.max(axis=1, keepdims=True))


def _row(name: str, scores: Array, truth: Array, f1: float | None, threshold: float | None) -> LabelScores:
    ap, auc = average_precision(scores, truth), roc_auc(scores, truth)
    return LabelScores(name, int(truth.sum()), len(truth), ap, auc, f1, threshold)


def summarise(answers: Answers, table: list[LabelScores]) -> Scores:
    """Return the figures over all labels.

    `macro_*` are means over the defined labels and `weighted_f1` weighs them by positives; `micro_f1` is
    over all known decisions. `exact_match` is the share of texts whose known labels are all decided rightly,
    for a single-label task the accuracy. `log_loss` is the mean over known labels, of calibrated
    probabilities.
    """
    f1 = [row.f1 for row in table]
    weights = [row.positives for row in table if row.f1 is not None]
    return {
        "macro_ap": macro(row.ap for row in table),
        "macro_roc_auc": macro(row.roc_auc for row in table),
        "macro_f1": macro(f1),
        "micro_f1": micro_f1(answers.decisions, answers.columns),
        "weighted_f1": float(np.average([v for v in f1 if v is not None], weights=weights))
        if weights
        else None,
        "exact_match": exact_match(answers),
        "log_loss": log_loss(answers.task, answers.logits, answers.labels, answers.calibration.temperature),
        "calibration_error": calibration_error(answers),
        "undefined_labels": int((~defined_labels(answers.columns)).sum()),
        "examples": len(answers.labels),
    }


def exact_match(answers: Answers) -> float:
    """Return the share of texts, of those with a known label, whose known labels are all decided rightly."""
    unknown = np.isnan(answers.columns)
    right = unknown | (answers.decisions == (answers.columns == 1))
    return float(right.all(axis=1)[~unknown.all(axis=1)].mean())


def fidelity(student: Answers, teacher: Answers) -> Scores:
    """Return how close a student is to its teacher; labels play no part.

    `agreement` is the share of texts for which both decide the same, each with its own thresholds (Stanton
    et al., 2021). `divergence` is the mean over texts of KL(teacher || student), summed over independent
    labels: the soft loss at temperature 1.
    """
    import torch

    soft = SoftTargetLoss(student.task.kind, temperature=1.0)
    ours, theirs = (torch.from_numpy(each.logits.astype(np.float64)) for each in (student, teacher))
    return {
        "agreement": float((student.decisions == teacher.decisions).all(axis=1).mean()),
        "divergence": float(soft(ours, theirs)) / len(student.logits),
    }

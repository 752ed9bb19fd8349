"""What validation fixes for good: the temperature of the probabilities, and each label's threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from distill.contracts import Targets
from distill.inference import probabilities
from distill.metrics import known_rows, label_columns, one_hot
from distill.objectives.hard import HardObjective

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distill.contracts import Array, FloatArray, Task

TEMPERATURES = (0.05, 20.0)
"""Where the temperature is looked for: a validation split that is ranked without a mistake has no minimum."""
NO_THRESHOLD = 0.5
"""The threshold of a label that validation cannot choose one for, having no positive example."""


@dataclass(frozen=True)
class Calibration:
    """How logits become probabilities and decisions. `thresholds` is empty for a single-label task."""

    temperature: float
    thresholds: Mapping[str, float]

    def describe(self) -> dict[str, Any]:
        """Return what `calibration.json` holds."""
        return {"temperature": self.temperature, "thresholds": dict(self.thresholds)}


def calibrate(task: Task, logits: FloatArray, labels: Array) -> Calibration:
    """Choose temperature and thresholds on validation logits [N, C] and labels, unknown ones left out."""
    temperature = fit_temperature(task, logits, labels)
    if task.kind == "single_label":
        return Calibration(temperature, {})
    each = known_rows(probabilities(logits, task, temperature), label_columns(task, labels))
    thresholds = [best_threshold(scores, truth) for scores, truth in each]
    return Calibration(temperature, dict(zip(task.label_names, thresholds, strict=True)))


def log_loss(task: Task, logits: Array, labels: Array, temperature: float = 1.0) -> float:
    """Return the mean over known labels of -log p(label), from logits, so that none is too large."""
    import torch

    scaled = torch.from_numpy(logits.astype(np.float64) / temperature)
    known = int((labels >= 0).sum())  # NaN is not
    loss = HardObjective(task)(scaled, Targets(torch.from_numpy(np.asarray(labels))))["loss"]
    return float(loss) / known


def fit_temperature(task: Task, logits: Array, labels: Array) -> float:
    """Return the temperature with the least log loss (Guo et al., "On Calibration", 2017)."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_temperature: log_loss(task, logits, labels, math.exp(log_temperature)),
        bounds=(math.log(TEMPERATURES[0]), math.log(TEMPERATURES[1])),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return math.exp(found.x)


def best_threshold(scores: Array, truth: Array) -> float:
    """Return the threshold with the best F1, the highest of equally good ones, for scores [N] and 0/1 [N].

    It lies halfway between the last score that is taken and the next lower one: rounding flips nothing.
    """
    if not truth.any():
        return NO_THRESHOLD
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order].astype(np.float64), truth[order].cumsum()
    taken = np.flatnonzero(np.append(np.diff(scores) < 0, True))  # the last row of each group of ties
    f1 = 2 * hits[taken] / (taken + 1 + hits[-1])
    last = taken[int(f1.argmax())]
    next_lower = scores[last + 1] if last + 1 < len(scores) else 0.0
    return float((scores[last] + next_lower) / 2)


def decide(task: Task, probable: FloatArray, calibration: Calibration) -> Array:
    """Return the decisions for calibrated probabilities [N, C], bool of the same shape."""
    if task.kind == "single_label":
        return one_hot(probable)
    return probable >= np.array([calibration.thresholds[name] for name in task.label_names])

"""Whether a probability means what it says: how often things hold that are said to hold so often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from distill.metrics import defined_labels, known_rows

if TYPE_CHECKING:
    from distill.contracts import Array
    from distill.metrics import Doubles
    from distill.stages.evaluation.scores import Answers

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Bins:
    """What falls into each of 15 equal bins of probability; each array is [15], NaN where a bin is empty."""

    counts: Array
    """How many probabilities."""
    probable: Doubles
    """Their mean."""
    frequency: Doubles
    """The share of them that came true."""

    @property
    def error(self) -> float:
        """The distance of probability and frequency, each bin weighed by its count."""
        full = self.counts > 0
        return float(np.average(np.abs(self.probable - self.frequency)[full], weights=self.counts[full]))


@dataclass(frozen=True)
class Reliability:
    """The bins of each label by itself, or of the predicted class; and of all of them together."""

    each: tuple[Bins, ...]
    pooled: Bins

    @property
    def error(self) -> float:
        """The expected calibration error: the mean over `each`."""
        return float(np.mean([bins.error for bins in self.each]))


def into_bins(probable: Array, truth: Array) -> Bins:
    """Sort probabilities [N] and 0/1 [N] into bins; an edge belongs to the bin above it, 1 to the last one."""
    inner_edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    places = np.searchsorted(inner_edges, probable.astype(np.float64), side="right")
    counts = np.bincount(places, minlength=CALIBRATION_BINS)
    sums = (np.bincount(places, weights, CALIBRATION_BINS) for weights in (probable, truth))
    with np.errstate(invalid="ignore"):  # an empty bin is 0 / 0
        return Bins(counts, *(total / counts for total in sums))


def reliability(answers: Answers) -> Reliability | None:
    """Return the bins of a split, unknown labels left out; None where no label is defined.

    Multi-label: each defined label's probability against how often it holds. Single-label: the highest
    probability against how often that class is right.
    """
    probable = answers.probabilities
    if answers.task.kind == "multi_label":
        defined = defined_labels(answers.columns)
        pairs = [pair for pair, ok in zip(known_rows(probable, answers.columns), defined, strict=True) if ok]
    else:
        rows = np.flatnonzero(answers.labels >= 0)
        top = probable[rows].argmax(axis=1)
        pairs = [(probable[rows, top], (top == answers.labels[rows]).astype(np.int64))]
    if not pairs:
        return None
    all_probable, all_truth = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return Reliability(tuple(into_bins(*pair) for pair in pairs), into_bins(all_probable, all_truth))


def calibration_error(answers: Answers) -> float | None:
    """Return the expected calibration error with 15 equal bins (Naeini et al., 2015; Guo et al., 2017).

    Multi-label: the mean over the defined labels; None where there is none.
    """
    found = reliability(answers)
    return found.error if found else None


def uncalibrated(answers: Answers) -> Answers:
    """Return the answers as they were before temperature scaling."""
    return replace(answers, calibration=replace(answers.calibration, temperature=1.0))

"""The flow, a file or folder for each box, in this order. A stage never imports another stage.

data          sources, labels, cleaning, splits            -> a corpus
teacher       fine-tune, fit or load (the baseline, too)   -> a model folder
soft_targets  the teacher's logits for every text, once    -> tables by example id
student       one run for each student, objective and seed -> a model folder
evaluation    logits, calibration, thresholds, metrics     -> figures and curves
speed         raw text to probabilities, models interleaved -> latency, throughput, size, memory
frontier      who is on the Pareto front                   -> table, picture, page
artifacts     all that a user of the student needs         -> a folder to publish
"""

from __future__ import annotations

from collections.abc import Mapping

VERSIONS: Mapping[str, int] = {
    "data": 1,
    "teacher": 1,
    "soft_targets": 1,
    "student": 1,
    "evaluation": 3,
    "speed": 1,
    "frontier": 3,
    "artifacts": 2,
}
"""Raised when a stage's arithmetic changes, so that older results are not taken for new ones."""

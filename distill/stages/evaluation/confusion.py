"""What is taken for what: counts of the test split, for classes and for independent labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from sklearn.metrics import confusion_matrix

from distill.stages.evaluation.heat_maps import draw_class_confusion, draw_label_confusion

if TYPE_CHECKING:
    from pathlib import Path

    from distill.contracts import RunLog
    from distill.stages.evaluation.scores import Answers

TABLE, PICTURE = "confusion", "confusion_matrix"
"""What the dashboard calls them: of a table and a picture of one name it would keep the later one alone."""
OUTCOMES = ("tn", "fp", "fn", "tp")


def write_confusion(answers: Answers, folder: Path, log: RunLog) -> None:
    """Write `confusion.csv` and `confusion.png`, and log both."""
    path = folder / "confusion.png"
    if answers.task.kind == "single_label":
        counts = class_confusion(answers)
        draw_class_confusion(counts, path)
        log.table(TABLE, ["true", "predicted", "count"], _long(counts))
    else:
        counts = label_confusion(answers)
        draw_label_confusion(counts, path)
        log.table(TABLE, ["label", *OUTCOMES], [[name, *row] for name, row in _rows(counts)])
    counts.to_csv(folder / "confusion.csv")
    log.picture(PICTURE, path)


def class_confusion(answers: Answers) -> pd.DataFrame:
    """Return how many texts of each class (row) were given each class (column)."""
    known = answers.labels >= 0
    names = answers.task.label_names
    predicted = answers.decisions[known].argmax(axis=1)
    counts = confusion_matrix(answers.labels[known], predicted, labels=range(len(names)))
    return pd.DataFrame(counts, index=pd.Index(names, name="label"), columns=list(names))


def label_confusion(answers: Answers) -> pd.DataFrame:
    """Return for each label (row) its true and false negatives and positives (columns) at its threshold."""
    index = pd.Index(answers.task.label_names, name="label")
    outcomes = {
        name: ((answers.columns == truth) & (answers.decisions == decision)).sum(axis=0)  # NaN is neither
        for name, truth, decision in zip(OUTCOMES, (0, 0, 1, 1), (False, True, False, True), strict=True)
    }
    return pd.DataFrame(outcomes, index=index)


def _long(counts: pd.DataFrame) -> list[list[str | int]]:
    """Return true class, predicted class and count, a row for each pair of classes."""
    names = [str(name) for name in counts.columns]
    return [
        [true, predicted, count]
        for true, row in _rows(counts)
        for predicted, count in zip(names, row, strict=True)
    ]


def _rows(counts: pd.DataFrame) -> list[tuple[str, list[int]]]:
    return list(zip(map(str, counts.index), counts.to_numpy().tolist(), strict=True))

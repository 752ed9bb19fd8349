"""Which class is taken for which: a table and a picture, for a single-label task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from distill.charts import INK, MUTED, new_figure, plain, save_png

if TYPE_CHECKING:
    from pathlib import Path

    from distill.stages.evaluation.scores import Answers

MOST_NUMBERS = 20
"""With more classes than this, cells are coloured but not numbered."""


def confusion(answers: Answers) -> pd.DataFrame:
    """Return how many texts of each class (row) were given each class (column)."""
    known = answers.labels >= 0
    names = answers.task.label_names
    predicted = answers.decisions[known].argmax(axis=1)
    counts = confusion_matrix(answers.labels[known], predicted, labels=range(len(names)))
    return pd.DataFrame(counts, index=pd.Index(names, name="label"), columns=list(names))


def draw_confusion(counts: pd.DataFrame, path: Path) -> None:
    """Draw the counts, coloured by their share of the row."""
    size = len(counts)
    figure, (axes,) = new_figure(min(12.0, 3.2 + 0.62 * size), min(11.0, 2.4 + 0.55 * size))
    values = counts.to_numpy()
    shares = values / np.maximum(1, values.sum(axis=1, keepdims=True))
    axes.grid(visible=False)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [plain(str(name)) for name in counts.columns]
    axes.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), names)
    if size <= MOST_NUMBERS:
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.55 else INK
            axes.text(
                column, row, str(values[row, column]), ha="center", va="center", color=colour, fontsize=9
            )
    axes.set_xlabel("predicted", color=MUTED)
    axes.set_ylabel("true", color=MUTED)
    axes.set_title("Test texts by class", loc="left", color=INK, fontsize=12, fontweight="bold")
    save_png(figure, path)

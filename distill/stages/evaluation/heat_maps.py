"""Confusion as pictures, readable for two labels and for thirty: each cell coloured by its share of the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps

from distill.charts import INK, MUTED, new_figure, plain, save_png

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

    from distill.contracts import Array

MOST_NUMBERS = 20
"""With more classes than this, cells are coloured but not numbered."""
MOST_ROWS = 60
"""With more independent labels than this, cells are coloured but not numbered, and not every row is named."""
OUTCOMES = ("true\nnegative", "false\npositive", "false\nnegative", "true\npositive")
SHARES = "% of the texts where the label does not hold (left) or holds (right)"
RIGHT, WRONG = "Blues", "Oranges"


def draw_class_confusion(counts: pd.DataFrame, path: Path) -> None:
    """Draw counts [true class, predicted class], coloured by their share of the row."""
    size = len(counts)
    figure, (axes,) = new_figure(min(12.0, 3.2 + 0.62 * size), min(11.0, 2.4 + 0.55 * size))
    values = counts.to_numpy()
    shares = values / np.maximum(1, values.sum(axis=1, keepdims=True))
    axes.grid(visible=False)
    axes.imshow(shares, cmap=RIGHT, vmin=0, vmax=1)
    names = [plain(str(name)) for name in counts.columns]
    axes.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), names)
    if size <= MOST_NUMBERS:
        _numbers(axes, values.astype(str), shares)
    axes.set_xlabel("predicted", color=MUTED)
    axes.set_ylabel("true", color=MUTED)
    _title(axes, "Test texts by class")
    save_png(figure, path)


def draw_label_confusion(counts: pd.DataFrame, path: Path) -> None:
    """Draw counts [label, (tn, fp, fn, tp)], coloured by their share of the texts where the label (not) holds."""
    size = len(counts)
    longest = min(30, max(len(str(name)) for name in counts.index))
    figure, (axes,) = new_figure(5.2 + 0.075 * longest, 1.7 + 0.3 * min(size, MOST_ROWS))
    values = counts.to_numpy()
    pairs = values.reshape(size, 2, 2)
    shares = (pairs / np.maximum(1, pairs.sum(axis=2, keepdims=True))).reshape(size, 4)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.imshow(_colours(shares), aspect="auto", interpolation="nearest")
    axes.axvline(1.5, color="white", linewidth=6)  # the true classes stand apart
    axes.set_xticks(range(4), OUTCOMES)
    axes.xaxis.tick_top()
    axes.set_xlabel(SHARES, color=MUTED, fontsize=8)
    named = range(0, size, -(-size // MOST_ROWS))
    axes.set_yticks(named, [_short(plain(str(counts.index[row]))) for row in named])
    if size <= MOST_ROWS:
        axes.set_yticks(np.arange(size - 1) + 0.5, minor=True)
        axes.grid(visible=True, which="minor", axis="y", color="white", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
        _numbers(axes, _texts(values, shares), shares)
    _title(axes, "Test labels at the thresholds of validation")
    save_png(figure, path)


def _colours(shares: Array) -> Array:
    """Return RGBA [rows, 4, 4]: blue for what is right, orange for what is wrong."""
    right, wrong = colormaps[RIGHT](shares), colormaps[WRONG](shares)
    return np.stack([right[:, 0], wrong[:, 1], wrong[:, 2], right[:, 3]], axis=1)


def _texts(values: Array, shares: Array) -> Array:
    return np.array(
        [
            f"{value:,}  ({share:.0%})" if value else "0"
            for value, share in zip(values.flat, shares.flat, strict=True)
        ]
    ).reshape(values.shape)


def _numbers(axes: Axes, texts: Array, shares: Array) -> None:
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.55 else INK
        axes.text(column, row, str(texts[row, column]), ha="center", va="center", color=colour, fontsize=9)


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:31]}\u2026"


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", color=INK, fontsize=12, fontweight="bold")

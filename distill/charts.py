"""The look that all pictures share: a plain figure without pyplot's global state, a palette, PNG files."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

INK, MUTED, FAINT, GRID = "#1c2333", "#667085", "#c3c9d4", "#e9ecf1"
PALETTE = ("#2563c9", "#d9541e", "#12906a", "#a3459c", "#c98a00", "#1b9ec2", "#7a5230", "#5b4fcf")
"""Told apart also by people who do not see red and green; taken in this order."""


def new_figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a white figure of that many inches, and its axes side by side, with a faint grid and no box."""
    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, columns, column + 1) for column in range(columns)]
    for each in axes:
        each.grid(color=GRID, linewidth=0.8)
        each.set_axisbelow(True)
        each.tick_params(colors=MUTED, labelsize=9, length=0)
        for side, spine in each.spines.items():
            spine.set_visible(side in {"left", "bottom"})
            spine.set_color(FAINT)
    return figure, axes


def plain(text: str) -> str:
    """Return a name that matplotlib draws as it stands, not as a formula."""
    return text.replace("$", r"\$")


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure at 160 dots per inch; a letter that the font lacks becomes a box, silently."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(path, dpi=160, metadata={"Software": None})

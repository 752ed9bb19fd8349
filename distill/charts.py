"""The look that all pictures share: a plain figure without pyplot's global state, a palette, PNG files."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, TypeAlias

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

Margins: TypeAlias = tuple[float, float, float, float]

INK, MUTED, FAINT, GRID = "#1c2333", "#667085", "#c3c9d4", "#e9ecf1"
PALETTE = ("#2563c9", "#d9541e", "#12906a", "#a3459c", "#c98a00", "#1b9ec2", "#7a5230", "#5b4fcf")
"""Told apart also by people who do not see red and green; taken in this order."""


def new_figure(
    width: float, height: float, columns: Sequence[float] = (1.0,), margins: Margins | None = None
) -> tuple[Figure, list[Axes]]:
    """Return a white figure of that many inches, and its axes side by side, with a faint grid and no box.

    Args:
        width: in inches.
        height: in inches.
        columns: the axes' widths, relative to one another; they share the vertical axis.
        margins: left, bottom, width and height of what the axes fill, as shares of the figure.
    """
    figure = _empty_figure(width, height, margins)
    axes: list[Axes] = list(
        figure.subplots(1, len(columns), squeeze=False, sharey=True, width_ratios=columns)[0]
    )
    _style(axes)
    return figure, axes


def stacked_figure(width: float, height: float, rows: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """Return a figure like `new_figure`, its axes one below the other.

    Args:
        width: in inches.
        height: in inches.
        rows: the axes' heights, relative to one another; they share the horizontal axis.
    """
    figure = _empty_figure(width, height, None)
    axes: list[Axes] = list(
        figure.subplots(len(rows), 1, squeeze=False, sharex=True, height_ratios=rows)[:, 0]
    )
    _style(axes)
    return figure, axes


def _empty_figure(width: float, height: float, margins: Margins | None) -> Figure:
    layout = ConstrainedLayoutEngine(rect=margins or (0.0, 0.0, 1.0, 1.0))
    figure = Figure(figsize=(width, height), facecolor="white", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def _style(axes: Sequence[Axes]) -> None:
    for each in axes:
        each.grid(color=GRID, linewidth=0.8)
        each.set_axisbelow(True)
        each.tick_params(which="both", colors=MUTED, labelsize=9, length=0)
        for side, spine in each.spines.items():
            spine.set_visible(side in {"left", "bottom"})
            spine.set_color(FAINT)


def plain(text: str) -> str:
    """Return a name that matplotlib draws as it stands, not as a formula."""
    return text.replace("$", r"\$")


def save_png(figure: Figure, path: Path, dots_per_inch: int = 110) -> None:
    """Write a figure; a letter that the font lacks becomes a box, silently."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(path, dpi=dots_per_inch, metadata={"Software": None})

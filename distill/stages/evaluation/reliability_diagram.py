"""Probability against frequency as a picture, before and after temperature scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter, NullLocator

from distill.charts import FAINT, INK, MUTED, PALETTE, save_png, stacked_figure
from distill.stages.evaluation.reliability import CALIBRATION_BINS, reliability, uncalibrated

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from distill.stages.evaluation.reliability import Bins, Reliability
    from distill.stages.evaluation.scores import Answers

AFTER, BEFORE = PALETTE[0], PALETTE[1]
WIDTH = 1 / CALIBRATION_BINS
WORDS = {
    "multi_label": ("probability of a label", "how often it holds", "probabilities"),
    "single_label": ("probability of the predicted class", "how often it is right", "texts"),
}


def draw_reliability(answers: Answers, path: Path) -> None:
    """Draw a split's reliability diagram (DeGroot and Fienberg, 1983) into a PNG file, bin counts below it.

    The lines pool all defined labels; of several, each has a faint line of its own.
    """
    after, before = reliability(answers), reliability(uncalibrated(answers))
    if after is None or before is None:
        raise ValueError("no label is defined")
    figure, (axes, below) = stacked_figure(7.2, 6.2, rows=(3.4, 1.0))
    probability, frequency, counted = WORDS[answers.task.kind]
    _lines(axes, after, before, answers.calibration.temperature)
    _histogram(below, after.pooled, before.pooled)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.set_ylabel(frequency, color=MUTED)
    below.set_xlabel(f"{probability}, {CALIBRATION_BINS} bins", color=MUTED)
    below.set_ylabel(counted, color=MUTED)
    figure.align_ylabels()
    of = f", the mean of {len(after.each)} labels" if len(after.each) > 1 else ""
    axes.set_title(
        f"Calibration error {after.error:.3f}{of}", loc="left", color=INK, fontsize=12, fontweight="bold"
    )
    save_png(figure, path)


def _lines(axes: Axes, after: Reliability, before: Reliability, temperature: float) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 4)), label="perfect", zorder=1)
    if len(after.each) > 1:
        for number, bins in enumerate(after.each):
            label = "_" if number else "each label, after"
            axes.plot(*_points(bins), color=FAINT, linewidth=0.9, alpha=0.8, label=label, zorder=2)
    for found, colour, shape, name in (
        (before, BEFORE, "s", "before scaling"),
        (after, AFTER, "o", f"after, temperature {temperature:.2f}"),
    ):
        label = f"{found.error:.3f}  {name}"
        axes.plot(
            *_points(found.pooled),
            shape + "-",
            color=colour,
            linewidth=1.8,
            markersize=5,
            label=label,
            zorder=3,
        )
    axes.legend(loc="upper left", frameon=False, fontsize=9, labelcolor=INK, reverse=True)


def _points(bins: Bins) -> tuple[list[float], list[float]]:
    """Return the bins that are not empty, so that lines go on across the empty ones."""
    full = bins.counts > 0
    return bins.probable[full].tolist(), bins.frequency[full].tolist()


def _histogram(axes: Axes, after: Bins, before: Bins) -> None:
    """Draw how many probabilities each bin holds, on a logarithmic axis, since most are near 0 or 1."""
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    axes.bar(edges[:-1], after.counts, WIDTH, align="edge", color=AFTER, alpha=0.75, edgecolor="white")
    axes.stairs(np.maximum(before.counts, 0.1), edges, color=BEFORE, linewidth=1.3)
    top = axes.get_xaxis_transform()
    for left, count in zip(edges[:-1], after.counts.tolist(), strict=True):
        place = (left + WIDTH / 2, 0.97)
        axes.text(*place, short(count), transform=top, ha="center", va="top", fontsize=8, color=AFTER)
    axes.set_yscale("log")
    axes.set_ylim(0.7, 12 * max(after.counts.max(), before.counts.max()))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(int(value))))
    axes.yaxis.set_minor_locator(NullLocator())


def short(count: int) -> str:
    """Return a count, rounded down, in at most four letters up to a billion: 950, 9.5k, 95k, 950k, 9.5M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= 10 * size:
            return f"{count // size}{unit}"
        if count >= size:
            return f"{count * 10 // size / 10:g}{unit}"
    return str(count)

"""ROC and precision-recall curves as pictures, readable for two labels and for fifty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sklearn.metrics import precision_recall_curve, roc_curve

from distill.charts import FAINT, INK, MUTED, PALETTE, new_figure, plain, save_png
from distill.metrics import known_rows

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from distill.contracts import Array
    from distill.stages.evaluation.scores import Answers, LabelScores

NAMED = len(PALETTE)
"""How many curves are coloured and named; of more labels, the best and the worst half of so many."""


@dataclass(frozen=True)
class Curve:
    """One label's curve and the area under it."""

    label: str
    x: Array
    y: Array
    area: float


def roc_curves(answers: Answers, table: list[LabelScores]) -> list[Curve]:
    """Return false positive rate against true positive rate for each defined label."""
    curves = []
    for row, (scores, truth) in zip(table, known_rows(answers.ranking, answers.columns), strict=True):
        if row.roc_auc is not None:
            false_positive, true_positive, _ = roc_curve(truth, scores)
            curves.append(Curve(row.label, false_positive, true_positive, row.roc_auc))
    return curves


def precision_recall_curves(answers: Answers, table: list[LabelScores]) -> list[Curve]:
    """Return recall against precision for each defined label."""
    curves = []
    for row, (scores, truth) in zip(table, known_rows(answers.ranking, answers.columns), strict=True):
        if row.ap is not None:
            precision, recall, _ = precision_recall_curve(truth, scores, drop_intermediate=True)
            curves.append(Curve(row.label, recall, precision, row.ap))
    return curves


def draw_curves(curves: list[Curve], *, x: str, y: str, area: str, chance: bool, path: Path) -> None:
    """Draw the curves into a PNG file.

    Args:
        curves: one for each label.
        x: what the horizontal axis shows.
        y: what the vertical axis shows.
        area: what the area under a curve is called.
        chance: whether guessing is the diagonal.
        path: the file to write.
    """
    figure, (axes,) = new_figure(7.2, 5.0)
    if chance:
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=(0, (4, 4)), zorder=1)
    ranked = sorted(curves, key=lambda curve: -curve.area)
    half = NAMED // 2
    named = ranked if len(ranked) <= NAMED else [*ranked[:half], *ranked[-half:]]
    for curve in ranked:
        if curve not in named:
            axes.plot(curve.x, curve.y, color=FAINT, linewidth=0.9, alpha=0.8, zorder=2)
    for curve, colour in zip(named, PALETTE, strict=False):
        label = plain(f"{curve.area:.3f}  {curve.label}")
        axes.plot(curve.x, curve.y, color=colour, linewidth=1.8, alpha=0.9, label=label, zorder=3)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.set_xlabel(x, color=MUTED)
    axes.set_ylabel(y, color=MUTED)
    mean = sum(curve.area for curve in curves) / len(curves)
    heading = f"{area[0].upper()}{area[1:]} {mean:.3f}, the mean of {len(curves)} labels"
    axes.set_title(heading, loc="left", color=INK, fontsize=12, fontweight="bold")
    _legend(axes, area, others=len(ranked) - len(named))
    save_png(figure, path)


def _legend(axes: Axes, area: str, others: int) -> None:
    title = f"{area}\n(best and worst; {others} others grey)" if others else area
    legend = axes.legend(
        title=title, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=9, labelcolor=INK
    )
    legend.get_title().set(color=MUTED, fontsize=9)
    legend.set_alignment("left")

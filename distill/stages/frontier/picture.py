"""The picture: quality against latency, and against size; filled is distilled, hollow is the control."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from distill.charts import INK, MUTED, PALETTE, new_figure, plain, save_png
from distill.stages.frontier.labels import Label, Place, Segment, place_labels
from distill.stages.frontier.points import METRIC_TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from distill.stages.frontier.points import Arm, Comparison

SHAPES = "os^DvPhX"
FRONT, BEATEN = "#98a2b3", "#f4f6f9"
COSTS = {
    "latency_p90_ms": "latency of one text, 90th percentile (ms)",
    "bytes": "graph and tokenizer on disk (MB)",
}
BETTER = {"latency_p90_ms": "faster", "bytes": "smaller"}


def draw_picture(comparison: Comparison, experiment: str, path: Path) -> None:
    """Draw both panels into a PNG file; models without speed are left out."""
    figure, panels = new_figure(12.8, 6.4, columns=(1.55, 1.0), margins=(0.01, 0.06, 0.98, 0.8))
    panels[0].set_ylabel(f"test {METRIC_TITLES[comparison.metric]}", color=MUTED, fontsize=10)
    obstacles = [_panel(axes, comparison, cost) for axes, cost in zip(panels, COSTS, strict=True)]
    _head(figure, comparison, experiment)
    figure.draw_without_rendering()  # settles where the axes are
    for axes, cost, segments in zip(panels, COSTS, obstacles, strict=True):
        place_labels(axes, _labels(comparison, _places(comparison, cost)), segments)
    save_png(figure, path, dots_per_inch=160)


def looks(comparison: Comparison) -> dict[str, tuple[str, str]]:
    """Return student -> colour and shape."""
    names = list(comparison.students)
    return {name: (PALETTE[i % len(PALETTE)], SHAPES[i % len(SHAPES)]) for i, name in enumerate(names)}


def _places(comparison: Comparison, cost: str) -> dict[str, Place]:
    """Return arm -> where it stands, for those whose quality and cost are known."""
    unit = 1e6 if cost == "bytes" else 1.0
    found = {arm.name: (arm.mean(cost), arm.mean("quality")) for arm in comparison.arms}
    return {name: (x / unit, y) for name, (x, y) in found.items() if x is not None and y is not None}


def _panel(axes: Axes, comparison: Comparison, cost: str) -> list[Segment]:
    """Draw quality against a cost; return what names should not cover."""
    axes.set_xscale("log")
    axes.set_xlabel(COSTS[cost], color=MUTED, fontsize=10)
    axes.set_title(f"\u2196 {BETTER[cost]} and better", loc="left", color=MUTED, fontsize=9)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    places = _places(comparison, cost)
    if not places:
        return []
    arms = [arm for arm in comparison.arms if arm.name in places]
    _limits(axes, arms, places)
    segments = _front(axes, comparison, cost, places) + _gains(axes, comparison, places)
    for arm in arms:
        _markers(axes, arm, places[arm.name], looks(comparison))
    return segments + [(place, place) for place in places.values()]


def _limits(axes: Axes, arms: list[Arm], places: Mapping[str, Place]) -> None:
    """Leave room for names on all sides."""
    low, high = min(x for x, _ in places.values()), max(x for x, _ in places.values())
    axes.set_xlim(low / 2.2, high * 2.6)
    quality = [point.quality for arm in arms for point in arm.points if point.quality is not None]
    room = max(0.01, 0.12 * (max(quality) - min(quality)))
    axes.set_ylim(min(quality) - 1.5 * room, max(quality) + room)


def _front(axes: Axes, comparison: Comparison, cost: str, places: Mapping[str, Place]) -> list[Segment]:
    """Draw the front as steps, since between two of its points there is nothing; return the steps."""
    found = [places[arm.name] for arm in comparison.front(cost)]
    bottom, right = axes.get_ylim()[0], axes.get_xlim()[1]
    corners = [(found[0][0], bottom)]
    for x, y in found:
        corners += [(x, corners[-1][1]), (x, y)]
    corners.append((right, found[-1][1]))
    x_values, y_values = zip(*corners, strict=True)
    axes.plot(x_values, y_values, color=FRONT, linewidth=1.4, zorder=1)
    axes.fill_between(x_values, y_values, bottom, color=BEATEN, linewidth=0, zorder=0)
    return list(pairwise(corners))


def _gains(axes: Axes, comparison: Comparison, places: Mapping[str, Place]) -> list[Segment]:
    """Join each distilled arm with its control; return the lines."""
    segments = []
    for arm in comparison.arms:
        control = comparison.control_of(arm)
        if control and arm.name in places and control.name in places:
            start, end = segment = places[arm.name], places[control.name]
            colour, _ = looks(comparison)[arm.first.student]
            axes.plot(*zip(start, end, strict=True), color=colour, linewidth=1.6, alpha=0.45, zorder=2)
            segments.append(segment)
    return segments


def _markers(axes: Axes, arm: Arm, place: Place, look: Mapping[str, tuple[str, str]]) -> None:
    """Draw the mean of an arm large and, where there are several, its seeds as dots."""
    first, (x, y) = arm.first, place
    if first.role == "teacher":
        axes.plot(x, y, "*", markersize=19, color=INK, markeredgecolor="white", zorder=5)
        return
    if first.role == "baseline":
        axes.plot(x, y, "x", markersize=10, color=INK, markeredgewidth=2.6, zorder=5)
        return
    colour, shape = look[first.student]
    if len(arm.points) > 1:
        seeds = [point.quality for point in arm.points if point.quality is not None]
        axes.plot([x] * len(seeds), seeds, ".", color=colour, alpha=0.4, zorder=3)
    fill = "white" if first.control else colour
    axes.plot(x, y, shape, markersize=10.5, color=fill, markeredgecolor=colour, markeredgewidth=2, zorder=4)


def _labels(comparison: Comparison, places: Mapping[str, Place]) -> list[Label]:
    """Name the teacher, the baseline, and each student once, at its best arm; which one, if there are several."""
    look = looks(comparison)
    several = len({arm.first.objective for arm in comparison.arms if not arm.first.control}) > 2
    titles = {"teacher": "teacher", "baseline": "linear baseline"}
    labels = [Label(titles[name], *places[name], INK) for name in titles if name in places]
    for student, arms in comparison.students.items():
        found = [arm for arm in arms if arm.name in places]
        if found:
            best = max(found, key=lambda arm: places[arm.name][1])
            name = f"{student} ({best.first.objective})" if several else student
            labels.append(Label(name, *places[best.name], look[student][0]))
    return labels


def _head(figure: Figure, comparison: Comparison, experiment: str) -> None:
    """Write the title, the conditions and the key above the panels."""
    title = f"{experiment}: how much model is needed?"
    figure.text(0.018, 0.945, plain(title), fontsize=17, fontweight="bold", color=INK, va="center")
    figure.text(0.018, 0.895, plain(conditions(comparison)), fontsize=10, color=MUTED, va="center")
    figure.legend(
        handles=_key(),
        loc="lower left",
        bbox_to_anchor=(0.012, 0.005),
        ncols=5,
        frameon=False,
        fontsize=9.5,
        labelcolor=MUTED,
        columnspacing=1.8,
        handletextpad=0.5,
    )


def conditions(comparison: Comparison) -> str:
    """Return one line: the machine, and what was timed."""
    if comparison.machine is None:
        return "speed has not been measured"
    threads = comparison.machine["threads"]
    return (
        f"{comparison.conditions['scenario']}, ONNX Runtime fp32, "
        f"{'one thread' if threads == 1 else f'{threads} threads'} of {comparison.machine['processor']}"
    )


def _key() -> list[Line2D]:
    circle = partial(Line2D, [], [], marker="o", linestyle="", markeredgecolor=MUTED, markersize=8.5)
    return [
        circle(color=MUTED, label="distilled"),
        circle(color="white", markeredgewidth=1.8, label="control, without the teacher"),
        Line2D([], [], marker="*", linestyle="", color=INK, markersize=12, label="teacher"),
        Line2D([], [], marker="x", linestyle="", color=INK, markeredgewidth=2.2, label="linear baseline"),
        Line2D([], [], color=FRONT, linewidth=1.4, label="Pareto front"),
    ]

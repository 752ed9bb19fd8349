"""The picture: quality against latency, and against size; filled is distilled, hollow is the control."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from distill.charts import INK, MUTED, PALETTE, new_figure, plain, save_png
from distill.stages.frontier.labels import Label, place_labels
from distill.stages.frontier.table import METRIC_TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from distill.stages.frontier.points import Arm, Comparison

SHAPES = "os^DvPhX"
FRONT = "#98a2b3"
COSTS = {
    "latency_p90_ms": "latency of one text, 90th percentile (ms)",
    "bytes": "graph and tokenizer on disk (MB)",
}


def draw_picture(comparison: Comparison, experiment: str, path: Path) -> None:
    """Draw both panels into a PNG file; models without speed are left out."""
    figure, panels = new_figure(12.8, 6.4, columns=(1.55, 1.0), margins=(0.01, 0.06, 0.98, 0.8))
    for axes, cost in zip(panels, COSTS, strict=True):
        _panel(axes, comparison, cost)
    panels[0].set_ylabel(f"test {METRIC_TITLES[comparison.metric]}", color=MUTED, fontsize=10)
    panels[1].tick_params(labelleft=False)
    _head(figure, comparison, experiment)
    save_png(figure, path)


def looks(comparison: Comparison) -> dict[str, tuple[str, str]]:
    """Return student -> colour and shape."""
    names = list(comparison.students)
    return {name: (PALETTE[i % len(PALETTE)], SHAPES[i % len(SHAPES)]) for i, name in enumerate(names)}


def _panel(axes: Axes, comparison: Comparison, cost: str) -> None:
    unit = 1e6 if cost == "bytes" else 1.0
    arms = [arm for arm in comparison.arms if arm.mean(cost) is not None and arm.mean("quality") is not None]
    places = {arm.name: ((arm.mean(cost) or 0.0) / unit, arm.mean("quality") or 0.0) for arm in arms}
    axes.set_xscale("log")
    axes.set_xlabel(COSTS[cost], color=MUTED, fontsize=10)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if not arms:
        return
    _limits(axes, arms, places)
    line = _front(axes, comparison, cost, places)
    for arm in arms:
        _markers(axes, arm, looks(comparison), unit, cost)
    _gains(axes, comparison, places)
    better = "smaller" if cost == "bytes" else "faster"
    axes.text(
        0.015,
        0.985,
        f"\u2196 {better} and better",
        transform=axes.transAxes,
        color=MUTED,
        fontsize=9,
        va="top",
    )
    place_labels(axes, _labels(comparison, places), list(places.values()), line)


def _limits(axes: Axes, arms: list[Arm], places: Mapping[str, tuple[float, float]]) -> None:
    """Leave room for names on all sides."""
    low, high = min(x for x, _ in places.values()), max(x for x, _ in places.values())
    axes.set_xlim(low / 2.2, high * 2.6)
    quality = [point.quality for arm in arms for point in arm.points if point.quality is not None]
    room = max(0.01, 0.12 * (max(quality) - min(quality)))
    axes.set_ylim(min(quality) - 1.5 * room, max(quality) + room)


def _front(
    axes: Axes, comparison: Comparison, cost: str, places: Mapping[str, tuple[float, float]]
) -> list[tuple[float, float]]:
    """Draw the front as steps, since between two of its points there is nothing; return its corners."""
    found = [places[arm.name] for arm in comparison.front(cost)]
    bottom, right = axes.get_ylim()[0], axes.get_xlim()[1]
    x = [found[0][0], *(point[0] for point in found), right]
    y = [bottom, *(point[1] for point in found), found[-1][1]]
    axes.plot(x, y, drawstyle="steps-post", color=FRONT, linewidth=1.4, zorder=1)
    axes.fill_between(x, y, bottom, step="post", color="#f4f6f9", linewidth=0, zorder=0)
    corners = zip(x, [y[0], *y[:-1]], strict=True), zip(x, y, strict=True)
    return [corner for pair in zip(*corners, strict=True) for corner in pair]


def _markers(axes: Axes, arm: Arm, look: Mapping[str, tuple[str, str]], unit: float, cost: str) -> None:
    """Draw the mean of an arm large and, where there are several, its seeds as dots."""
    first = arm.first
    x, y = (arm.mean(cost) or 0.0) / unit, arm.mean("quality") or 0.0
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


def _gains(axes: Axes, comparison: Comparison, places: Mapping[str, tuple[float, float]]) -> None:
    """Join each distilled arm with its control."""
    look = looks(comparison)
    for arm in comparison.arms:
        control = comparison.control_of(arm)
        if control and arm.name in places and control.name in places:
            (x, high), (_, low) = places[arm.name], places[control.name]
            axes.plot(
                [x, x], [low, high], color=look[arm.first.student][0], linewidth=1.6, alpha=0.45, zorder=2
            )


def _labels(comparison: Comparison, places: Mapping[str, tuple[float, float]]) -> list[Label]:
    """Name the teacher, the baseline, and each student once, at its best arm; which one, if there are several."""
    look = looks(comparison)
    several = len({arm.first.objective for arm in comparison.arms if not arm.first.control}) > 2
    titles = {"teacher": "teacher", "baseline": "TF-IDF + linear"}
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

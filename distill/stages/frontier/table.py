"""The table for the terminal and for Markdown: teacher, baseline, then each student, distilled and control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.stages.frontier.points import METRIC_TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distill.stages.frontier.points import Arm, Comparison


def format_table(comparison: Comparison) -> str:
    """Return a Markdown table that is aligned for a terminal too, a warning before it and conditions after it."""
    arms = sorted(comparison.arms, key=lambda arm: ("teacher", "baseline", "student").index(arm.first.role))
    front = {arm.name for arm in comparison.front()}
    rows = [_row(arm, comparison, on_front=arm.name in front) for arm in arms]
    titles = ["model", "objective", METRIC_TITLES[comparison.metric], "vs control", "macro F1"]
    if comparison.metric == "macro_f1":
        titles[-1] = "accuracy"
    titles += ["p50 ms", "p90 ms", "speedup", "MB", "params", "front"]
    lines = [comparison.warning(), *_aligned([titles, *rows]), "", *_conditions(comparison)]
    return "\n".join(line for line in lines if line is not None)


def _row(arm: Arm, comparison: Comparison, *, on_front: bool) -> list[str]:
    first = arm.first
    control = comparison.control_of(arm)
    second = "macro_f1" if comparison.metric == "macro_ap" else "exact_match"
    bytes_on_disk = None if first.bytes is None else first.bytes / 1e6
    return [
        first.student or first.name,
        first.objective,
        _number(arm.mean("quality"), ".4f"),
        _number(arm.minus(control), "+.4f") if control else "",
        _number(arm.mean(second), ".4f"),
        _number(first.latency_p50_ms, ".2f"),
        _number(first.latency_p90_ms, ".2f"),
        _number(speedup(arm, comparison), ".1f", "x"),
        _number(bytes_on_disk, ".1f"),
        _count(first.parameters),
        "*" if on_front else "",
    ]


def speedup(arm: Arm, comparison: Comparison) -> float | None:
    """Return how many times the teacher's p90 latency is the arm's."""
    teacher = comparison.teacher and comparison.teacher.first.latency_p90_ms
    own = arm.first.latency_p90_ms
    return teacher / own if teacher and own else None


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"


def _count(value: int | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1e6:.1f}M" if value >= 1e6 else f"{value / 1e3:.0f}k"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return Markdown lines; the first two columns and the last one hold words, the others numbers."""
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    words = {0, 1, len(widths) - 1}
    rule = [
        "-" * width if column in words else "-" * (width - 1) + ":" for column, width in enumerate(widths)
    ]
    lines = [
        [
            cell.ljust(width) if column in words else cell.rjust(width)
            for column, (cell, width) in enumerate(cells)
        ]
        for cells in ([*zip(row, widths, strict=True)] for row in rows)
    ]
    return [f"| {' | '.join(line)} |" for line in [lines[0], rule, *lines[1:]]]


def _conditions(comparison: Comparison) -> list[str]:
    """Return what the figures stand on."""
    lines = ["`*` is on the Pareto front of test quality and p90 latency."]
    seeds = max(len(arm.points) for arm in comparison.arms)
    if seeds > 1:
        lines.append(f"Means over up to {seeds} seeds; `vs control` is paired by seed.")
    if comparison.machine is None:
        return [*lines, "Speed has not been measured."]
    lines.append(
        f"Speed on {comparison.machine['processor']}, threads: {comparison.machine['threads']}; "
        f"{comparison.conditions['scenario']}, ONNX Runtime fp32."
    )
    notes = {arm.first.student: arm.first.note for arm in comparison.arms if arm.first.note}
    return [*lines, *(f"{student}: {note}." for student, note in notes.items())]

"""The table of students that one was chosen from."""

from __future__ import annotations

from collections.abc import Sequence

from distill.dashboard.choosing import Candidate

TITLES = ("", "artifact", "run", "validation", "test", "p50 ms", "p90 ms", "texts/s", "MB", "params")


def format_candidates(candidates: Sequence[Candidate], chosen: Candidate, left_out: int = 0) -> str:
    """Return a table, the best on validation first, the chosen one marked.

    Args:
        candidates: who stood for choice.
        chosen: one of them.
        left_out: how many are not in it, since they learnt from other data.
    """
    ranked = sorted(candidates, key=lambda one: (-one.figures.get("quality", float("-inf")), one.artifact))
    rows = [TITLES, *(_row(one, chosen=one is chosen) for one in ranked)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(TITLES))]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    machines = {one.machine for one in candidates if one.machine}
    notes = [f"`>` is chosen; validation and test are {chosen.metric}, and test is never ranked by."]
    notes += [f"Speed on {machine}." for machine in sorted(machines)]
    if left_out:
        notes.append(f"Left out, since their data is another: {left_out}.")
    return "\n".join([*lines, "", *notes])


def _row(one: Candidate, *, chosen: bool) -> tuple[str, ...]:
    figures = one.figures
    return (
        ">" if chosen else "",
        one.artifact,
        one.run,
        _number(figures.get("quality"), ".4f"),
        _number(one.test, ".4f"),
        _number(figures.get("latency_p50_ms"), ".2f"),
        _number(figures.get("latency_p90_ms"), ".2f"),
        _number(figures.get("throughput"), ".0f"),
        _number(figures["bytes"] / 1e6 if "bytes" in figures else None, ".1f"),
        _number(figures.get("parameters"), ",.0f"),
    )


def _cells(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return words flush left, numbers flush right."""
    return [
        cell.ljust(width) if column < 3 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"

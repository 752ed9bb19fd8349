"""What one setting of a sweep came to: the figure by which it is ranked, and those that are only shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distill.dashboard.sweep_settings import METRIC

if TYPE_CHECKING:
    from distill.stages.frontier.points import Arm, Comparison

SHOWN = {
    "speed/latency_p50_ms": "latency_p50_ms",
    "speed/latency_p90_ms": "latency_p90_ms",
    "speed/throughput": "throughput",
    "size/parameters": "parameters",
    "size/bytes": "bytes",
}


def sweep_summary(
    comparison: Comparison, student: str | None = None, objective: str | None = None
) -> dict[str, Any] | None:
    """Return the summary of a sweep's run; None where none of the students that count has been evaluated.

    The best student is the one with the highest mean over seeds on validation. Controls count only where an
    experiment has nothing else: what does not listen to the teacher would hide what is done with the teacher.

    Args:
        comparison: all models of the setting.
        student: the only student that counts.
        objective: the only objective that counts.
    """
    arms = [arm for arm in comparison.arms if _counts(arm, student, objective)]
    if objective is None:
        arms = [arm for arm in arms if not arm.first.control] or arms
    best = max(arms, key=lambda arm: arm.mean("validation") or 0.0, default=None)
    if best is None:
        return None
    shown = {f"test/{comparison.metric}": "quality", **SHOWN}
    figures = {name: best.mean(attribute) for name, attribute in shown.items()}
    known = {name: value for name, value in figures.items() if value is not None}
    return {METRIC: best.mean("validation"), "metric": comparison.metric, "run": best.name, **known}


def _counts(arm: Arm, student: str | None, objective: str | None) -> bool:
    of_student = arm.first.role == "student" and arm.mean("validation") is not None
    return of_student and student in {None, arm.first.student} and objective in {None, arm.first.objective}

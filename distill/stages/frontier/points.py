"""The models of an experiment as points: quality from evaluation, cost from the speed stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from distill.result_files import METRICS, SPEED, costs_of, read_json
from distill.statistics import hypervolume, pareto_front

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

METRIC_TITLES = {"macro_ap": "macro AP", "macro_f1": "macro F1"}

COST = "latency_p90_ms"
"""The cost of the front: what MLPerf ranks single-stream systems by."""
REFERENCE = (0.0, 1000.0)
"""Quality and milliseconds from which the hypervolume is counted: fixed, so that experiments can be compared."""


@dataclass(frozen=True)
class Point:
    """One trained model. What was not measured is None."""

    name: str
    role: Literal["teacher", "baseline", "student"]
    quality: float | None
    """The selection metric on test."""
    validation: float | None
    """The selection metric on validation, by which models are ranked."""
    metrics: Mapping[str, Any]
    """All test figures."""
    student: str = ""
    objective: str = ""
    seed: int | None = None
    control: bool = False
    """Whether it learnt without the teacher."""
    latency_p50_ms: float | None = None
    latency_p90_ms: float | None = None
    throughput: float | None = None
    """Texts a second."""
    parameters: int | None = None
    bytes: int | None = None
    """Graph and tokenizer on disk."""
    note: str = ""


@dataclass(frozen=True)
class Arm:
    """A student under one objective, with its seeds; or the teacher, or the baseline."""

    points: tuple[Point, ...]

    @property
    def first(self) -> Point:
        """The point that stands for what all seeds share."""
        return self.points[0]

    @property
    def name(self) -> str:
        """As `textcnn/kd`."""
        return (
            f"{self.first.student}/{self.first.objective}"
            if self.first.role == "student"
            else self.first.name
        )

    def mean(self, name: str) -> float | None:
        """Return the mean over seeds of an attribute or, failing that, of a test metric."""
        each = [
            getattr(point, name) if hasattr(point, name) else point.metrics.get(name) for point in self.points
        ]
        known = [value for value in each if value is not None]
        return float(np.mean(known)) if known else None

    def minus(self, other: Arm) -> float | None:
        """Return the mean difference in quality over the seeds that both have."""
        ours, theirs = (
            {p.seed: p.quality for p in arm.points if p.quality is not None} for arm in (self, other)
        )
        both = ours.keys() & theirs.keys()
        return float(np.mean([ours[seed] - theirs[seed] for seed in both])) if both else None


@dataclass(frozen=True)
class Comparison:
    """All points, and under which conditions they were measured."""

    metric: str
    """The name of the selection metric."""
    points: Sequence[Point]
    machine: Mapping[str, Any] | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """Scenario, settings and relaxed rules of the speed stage."""

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """Points without their seeds: teacher, baseline, then students in the order of the experiment."""
        grouped: dict[tuple[str, str, str], list[Point]] = {}
        for point in self.points:
            grouped.setdefault((point.role, point.student, point.objective), []).append(point)
        return tuple(Arm(tuple(points)) for points in grouped.values())

    @property
    def teacher(self) -> Arm | None:
        """The teacher, if it has been evaluated."""
        return self._only("teacher")

    @property
    def baseline(self) -> Arm | None:
        """The standing baseline, if there is one."""
        return self._only("baseline")

    def _only(self, role: str) -> Arm | None:
        return next((arm for arm in self.arms if arm.first.role == role), None)

    @property
    def students(self) -> dict[str, list[Arm]]:
        """Student -> its arms."""
        found: dict[str, list[Arm]] = {}
        for arm in self.arms:
            if arm.first.role == "student":
                found.setdefault(arm.first.student, []).append(arm)
        return found

    def control_of(self, arm: Arm) -> Arm | None:
        """Return the student's control; of several the best one on validation. None for a control."""
        if arm.first.control or arm.first.role != "student":
            return None
        controls = [other for other in self.students[arm.first.student] if other.first.control]
        return max(controls, key=lambda control: control.mean("validation") or 0.0, default=None)

    def front(self, cost: str = COST) -> tuple[Arm, ...]:
        """Return the arms that no other one beats in mean quality and cost, the cheapest first."""
        arms = [arm for arm in self.arms if arm.mean("quality") is not None and arm.mean(cost) is not None]
        costs = [arm.mean(cost) for arm in arms]
        on_front = pareto_front(np.array([arm.mean("quality") for arm in arms]), np.array(costs))
        kept = [arm for arm, is_on in zip(arms, on_front, strict=True) if is_on]
        return tuple(sorted(kept, key=lambda arm: arm.mean(cost) or 0.0))

    def hypervolume(self) -> float:
        """Return the area under the front over log10 milliseconds, from `REFERENCE`."""
        return _area(self.arms, "quality")

    def contribution(self, arm: Arm) -> float:
        """Return by how much the area would shrink without an arm, as validation sees it: models are ranked by that."""
        others = [other for other in self.arms if other is not arm]
        return _area(self.arms, "validation") - _area(others, "validation")

    def warning(self) -> str | None:
        """Return what the table must say first: that the teacher does not beat the baseline on validation."""
        if not self.teacher or not self.baseline:
            return None
        teacher, baseline = self.teacher.mean("validation"), self.baseline.mean("validation")
        if teacher is None or baseline is None or teacher > baseline:
            return None
        return (
            f"The teacher has nothing to teach: validation {METRIC_TITLES[self.metric]} {teacher:.4f}, "
            f"and the linear baseline has {baseline:.4f}."
        )


def _area(arms: Sequence[Arm], quality: str) -> float:
    found = [(arm.mean(quality), arm.mean(COST)) for arm in arms]
    measured = [(high, np.log10(low)) for high, low in found if high is not None and low is not None]
    floor, ceiling = REFERENCE[0], float(np.log10(REFERENCE[1]))
    return hypervolume([high for high, _ in measured], [low for _, low in measured], (floor, ceiling))


def collect(
    evaluations: Mapping[str, Path],
    speed: Path | None,
    controls: Collection[str],
    notes: Mapping[str, str] | None = None,
) -> Comparison:
    """Read what evaluation and speed have found.

    Args:
        evaluations: `teacher`, `baseline` or `student/objective/seedN` -> the evaluation's result.
        speed: the speed stage's result; None where it has not run.
        controls: the objectives that listen to no teacher.
        notes: student -> what the table should say of it.
    """
    measured = read_json(speed / SPEED) if speed else {"models": {}}
    models = measured.pop("models")
    points, metric = [], ""
    for name, folder in evaluations.items():
        found = read_json(folder / METRICS)
        metric = found["selection_metric"]
        points.append(_point(name, found, models, controls, notes or {}))
    return Comparison(metric, points, measured.pop("machine", None), measured)


def _point(
    name: str,
    found: Mapping[str, Any],
    models: Mapping[str, Any],
    controls: Collection[str],
    notes: Mapping[str, str],
) -> Point:
    metric = found["selection_metric"]
    quality = {
        "quality": found["test"][metric],
        "validation": found["validation"][metric],
        "metrics": found["test"],
    }
    if name.count("/") < 2:
        role: Literal["teacher", "baseline"] = "teacher" if name == "teacher" else "baseline"
        return Point(name, role, **quality, **_costs(models.get(name)))
    student, objective, seed = name.rsplit("/", 2)
    return Point(
        name,
        "student",
        **quality,
        student=student,
        objective=objective,
        seed=int(seed.removeprefix("seed")),
        control=objective in controls,
        note=notes.get(student, ""),
        **_costs(models.get(student)),
    )


def _costs(figures: Mapping[str, Any] | None) -> dict[str, Any]:
    if figures is None:
        return {}
    return {name: value for name, value in costs_of(figures).items() if name != "peak_memory_bytes"}

"""From the runs of a project to the tables that the local store gives: one for each experiment and machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distill.dashboard.runs import REFERENCES, ServerRun, usable
from distill.errors import TrackingError
from distill.result_files import TIMED
from distill.stages.frontier import Comparison, Point, format_table

UNKNOWN_SCENARIO = "the scenario was not recorded"
SIZES = ("parameters", "bytes")


@dataclass(frozen=True)
class Table:
    """What one experiment came to on one machine."""

    experiment: str
    machine: str | None
    """In words; None if nobody has measured speed."""
    comparison: Comparison

    @property
    def title(self) -> str:
        """What it is a table of."""
        return f"{self.experiment}, {f'on {self.machine}' if self.machine else 'speed not measured'}"

    def __str__(self) -> str:
        teachers = [arm.name for arm in self.comparison.arms if arm.first.role == "teacher"]
        lines = [format_table(self.comparison)]
        if len(teachers) > 1:
            lines.append(f"Several teachers: `speedup` is counted from {teachers[0]}.")
        return "\n".join(lines)


def make_tables(runs: Sequence[ServerRun]) -> tuple[list[Table], Counter[str]]:
    """Return the tables, and how many runs were left out and why.

    Args:
        runs: of one project, the oldest first.

    Raises:
        TrackingError: no run can be used.
    """
    left_out: Counter[str] = Counter()
    groups: dict[str, list[ServerRun]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    tables = [
        table for name, some in groups.items() for table in _tables_of(name, usable(some, left_out), left_out)
    ]
    if not tables:
        raise TrackingError(f"no student's run can be compared; {describe_left_out(left_out)}")
    return tables, left_out


def describe_left_out(left_out: Counter[str]) -> str:
    """Return how many runs are in no table, and why."""
    found = [f"{count} {why}" for why, count in left_out.items() if count]
    return f"runs left out: {', '.join(found) or 'none'}"


def _tables_of(experiment: str, runs: Sequence[ServerRun], left_out: Counter[str]) -> list[Table]:
    students = [run for run in runs if run.job_type == "student"]
    machines = sorted({run.machine for run in students if run.machine})
    if not machines:
        return [_table(experiment, None, students, runs)] if students else []
    left_out["without speed"] += sum(run.machine is None for run in students)
    return [
        _table(experiment, machine, [run for run in students if run.machine == machine], runs)
        for machine in machines
    ]


def _table(
    experiment: str, machine: str | None, students: Sequence[ServerRun], runs: Sequence[ServerRun]
) -> Table:
    stores = {run.store: run.user for run in students}
    owners = _owners(stores)
    speeds = [run for run in runs if run.job_type == "speed" and machine and run.machine == machine]
    points = [
        point
        for role in REFERENCES
        for point in _references(
            [run for run in runs if run.job_type == role and run.store in stores], speeds, owners
        )
    ]
    ordered = sorted(students, key=lambda run: (run.config.get("order", 0), run.created_at))
    points += [_student(run, owners[run.store]) for run in ordered]
    scenario = next(
        (run.summary["scenario"] for run in speeds if "scenario" in run.summary), UNKNOWN_SCENARIO
    )
    about: Mapping[str, Any] | None = students[0].summary["machine"] if machine else None
    comparison = Comparison(students[0].metric, points, about, {"scenario": scenario} if machine else {})
    return Table(experiment, machine, comparison)


def _owners(stores: Mapping[str, str]) -> dict[str, str]:
    """Return what tells the runs of one store from another's: nothing, the user, or the user and the store."""
    if len(stores) == 1:
        return dict.fromkeys(stores, "")
    times = Counter(stores.values())
    return {
        store: f" ({user})" if times[user] == 1 else f" ({user} {store[:4]})"
        for store, user in stores.items()
    }


def _references(
    runs: Sequence[ServerRun], speeds: Sequence[ServerRun], owners: Mapping[str, str]
) -> list[Point]:
    """Return teachers or baselines; one that two people have made alike, by its fingerprint, is one."""
    different = {str(run.config.get("fingerprint")): run for run in reversed(runs)}
    points = []
    for fingerprint, run in reversed(different.items()):
        measured = [
            speed for speed in speeds if speed.config.get("measured", {}).get(run.job_type) == fingerprint
        ]
        costs = _costs(measured[-1].summary, f"{run.job_type}/") if measured else {}
        owner = owners[run.store] if len(different) > 1 else ""
        name = f"{run.job_type}{owner}"
        # arms are told apart by `student`; a reference has one only where there are several
        points.append(Point(name, _role(run), **_quality(run), student=name if owner else "", **costs))
    return points


def _role(run: ServerRun) -> Any:
    return run.job_type


def _student(run: ServerRun, owner: str) -> Point:
    config = run.config
    student = f"{config['student']}{owner}"
    return Point(
        f"{student}/{config['objective']}/seed{config['seed']}",
        "student",
        **_quality(run),
        student=student,
        objective=str(config["objective"]),
        seed=int(config["seed"]),
        control=bool(config.get("control")),
        note=str(config.get("note", "")),
        **_costs(run.summary, ""),
    )


def _quality(run: ServerRun) -> dict[str, Any]:
    metrics = {
        key.removeprefix("test/"): value for key, value in run.summary.items() if key.startswith("test/")
    }
    return {
        "quality": metrics[run.metric],
        "validation": run.summary[f"validation/{run.metric}"],
        "metrics": metrics,
    }


def _costs(summary: Mapping[str, Any], start: str) -> dict[str, Any]:
    """Return what was measured under `start`; the rest stays unknown."""
    timed = {name: summary.get(f"{start}speed/{name}") for name in TIMED}
    return timed | {name: summary.get(f"{start}size/{name}") for name in SIZES}

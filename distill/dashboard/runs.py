"""Reads the runs of a project: whoever made them, on whatever machine, and whatever became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from distill.dashboard.artifacts import check_project
from distill.dashboard.connection import Connection, NotThereError
from distill.dashboard.machines import describe_machine
from distill.errors import did_you_mean

REFERENCES = ("teacher", "baseline")
COMPARED = (*REFERENCES, "student", "speed")
"""The job types of the runs that a table is made from."""


@dataclass(frozen=True)
class Wanted:
    """Which runs of a project."""

    group: str | None = None
    """The experiment."""
    tag: str | None = None
    student: str | None = None

    def filters(self) -> dict[str, Any]:
        """Return what the server is asked for; teacher and baseline are wanted with each student."""
        found: dict[str, Any] = {"jobType": {"$in": list(COMPARED)}}
        if self.group is not None:
            found["group"] = self.group
        if self.tag is not None:
            found["tags"] = {"$in": [self.tag]}
        return found


@dataclass(frozen=True)
class ServerRun:
    """A run, as the server tells it."""

    id: str
    name: str
    job_type: str
    group: str
    state: str
    created_at: str
    user: str
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def store(self) -> str:
        """The store that it was made in."""
        return str(self.config.get("store", ""))

    @cached_property
    def machine(self) -> str | None:
        """The machine that measured its speed, in words; None if none has."""
        found = self.summary.get("machine")
        return describe_machine(found) if isinstance(found, Mapping) else None

    @property
    def metric(self) -> str:
        """The name of the selection metric."""
        from distill.metrics import SELECTION_METRICS

        data = self.config.get("data")
        labels = data.get("labels") if isinstance(data, Mapping) else None
        return SELECTION_METRICS["single_label" if labels is None else "multi_label"]

    @property
    def has_figures(self) -> bool:
        """Whether it has what a table shows: of a model its quality, of a speed run the machine."""
        if self.job_type == "speed":
            return self.machine is not None
        known = self.job_type != "student" or {"student", "objective", "seed"} <= self.config.keys()
        return known and all(f"{split}/{self.metric}" in self.summary for split in ("validation", "test"))


def read_runs(connection: Connection, place: str, wanted: Wanted) -> list[ServerRun]:
    """Return the runs that are wanted, the oldest first.

    Args:
        connection: the way to the server.
        place: `entity/project`.
        wanted: which.

    Raises:
        TrackingError: there are none (what there is, is named), or the server does not answer.
    """
    check_project(connection, place)
    found = list(_runs(connection, place, wanted))
    if not found:
        raise NotThereError(_what_is_there(connection, place, wanted))
    if wanted.student is None:
        return found
    students = {str(run.config.get("student")) for run in found if run.job_type == "student"}
    if wanted.student not in students:
        hint = did_you_mean(wanted.student, students) or f" (students: {_listed(students)})"
        raise NotThereError(f"{place}: no run of a student '{wanted.student}'{hint}")
    return [run for run in found if run.job_type != "student" or run.config.get("student") == wanted.student]


def usable(runs: Sequence[ServerRun], left_out: Counter[str]) -> list[ServerRun]:
    """Return the finished runs of one experiment that have figures, of those of one name and store the newest one.

    Args:
        runs: of one experiment, the oldest first.
        left_out: counts the others by why they are not used.
    """
    found: dict[tuple[str, ...], ServerRun] = {}
    for run in runs:
        if run.state != "finished":
            left_out[run.state] += 1
        elif not run.has_figures:
            left_out["without figures"] += 1
        else:
            # a store that two machines share is measured on each of them
            where = run.machine if run.job_type == "speed" else None
            key = (run.job_type, run.name, run.store, where or "")
            left_out["older of the same name"] += key in found
            found[key] = run
    return _of_newest_data(list(found.values()), left_out)


def _of_newest_data(runs: list[ServerRun], left_out: Counter[str]) -> list[ServerRun]:
    """Return the runs whose quality is comparable with that of the newest student."""
    students = [run for run in runs if run.job_type == "student"]
    if not students:
        return []
    newest = max(students, key=lambda run: run.created_at).config.get("data_fingerprint")
    kept = [run for run in runs if run.config.get("data_fingerprint") == newest]
    left_out["of other data"] += len(runs) - len(kept)
    return kept


def _runs(connection: Connection, place: str, wanted: Wanted) -> Iterator[ServerRun]:
    # not lazy: config and summary come with the list, not one request for each run
    found = connection.each(
        place, lambda: connection.api.runs(place, filters=wanted.filters(), order="+created_at", lazy=False)
    )
    for run in found:
        yield ServerRun(
            id=run.id,
            name=run.name,
            job_type=run.job_type or "",
            group=run.group or "",
            state=run.state,
            created_at=run.created_at,
            user=run.user.username if run.user else "",
            config=dict(run.config),
            summary=dict(run.summary_metrics),
        )


def _what_is_there(connection: Connection, place: str, wanted: Wanted) -> str:
    everything = list(_runs(connection, place, Wanted()))
    groups = {run.group for run in everything if run.group}
    if wanted.group is not None and wanted.group not in groups:
        hint = did_you_mean(wanted.group, groups) or f" (experiments: {_listed(groups)})"
        return f"{place}: no run of an experiment '{wanted.group}'{hint}"
    if wanted.tag is not None:
        return f"{place}: no run has the tag '{wanted.tag}'"
    return f"{place}: no run of distill is there"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"

"""The flow, from top to bottom: every step is read from the store, or made and kept there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from distill.contracts import Progress, Shared, Tracker
from distill.errors import StoreError, TrainingDivergedError
from distill.flow import Flow
from distill.plan import Plan
from distill.store import Store
from distill.workshop import Workshop

if TYPE_CHECKING:
    from distill.stages.frontier.points import Comparison


@dataclass(frozen=True)
class Outcome:
    """What an experiment came to."""

    folder: Path
    """Names for people: the frontier's pictures and table, and a folder for each student."""
    frontier: Path
    """The frontier stage's result."""
    failures: Mapping[str, str] = field(default_factory=dict)
    """Run -> why it failed; the others are on the frontier."""


def run_experiment(
    plan: Plan, store: Store, tracker: Tracker, progress: Progress, shared: Shared | None = None
) -> Outcome:
    """Make every step of the plan that the store does not hold.

    Args:
        plan: the steps.
        store: keeps each result.
        tracker: opens a run for each box of the flow.
        progress: is told what runs.
        shared: is asked for what another machine may have published.

    Raises:
        DistillError: whatever the user can mend; a run that diverges is recorded and the others go on.
    """
    workshop = Workshop(plan.experiment, store, tracker, progress, shared)
    flow = Flow(plan, workshop)
    _make_shared(flow)
    failures = {}
    for run in plan.runs:
        try:
            flow.student(run)
        except TrainingDivergedError as error:
            failures[run.name] = str(error)
            progress.note(f"{run.name} failed: {error}")
    if failures:
        flow = Flow(plan.without(failures), workshop)
    flow.speed()
    frontier = flow.frontier()
    folder = flow.artifacts(frontier)
    return Outcome(folder, frontier, failures)


def make_shared(
    plan: Plan, store: Store, tracker: Tracker, progress: Progress, shared: Shared | None = None
) -> None:
    """Make what all students of the plan have in common: data, teacher, soft targets and baseline.

    The arguments and errors are those of `run_experiment`.
    """
    _make_shared(Flow(plan, Workshop(plan.experiment, store, tracker, progress, shared)))


def _make_shared(flow: Flow) -> None:
    flow.data()
    flow.teacher()
    flow.soft_targets()
    flow.baseline()


def compare_finished(plan: Plan, store: Store) -> str:
    """Return the table of the models that have been evaluated, with speed where it was measured for just these.

    Raises:
        StoreError: there are none yet.
    """
    from distill.stages.frontier import format_table

    return format_table(compared(plan, store))


def compared(plan: Plan, store: Store) -> Comparison:
    """Return the models that have been evaluated, with speed where it was measured for just these.

    Raises:
        StoreError: there are none yet.
    """
    from distill.stages.frontier import collect

    found = {steps.name: store.find("evaluation", steps.evaluation.key) for steps in plan.models()}
    evaluations = {name: place for name, place in found.items() if place is not None}
    if not evaluations:
        raise StoreError(
            f"{store.root}: no finished run of '{plan.experiment.name}'; run it with `distill run`"
        )
    finished = plan.without(found.keys() - evaluations.keys())
    speed = store.find("speed", finished.speed.key) if finished.runs else None
    return collect(evaluations, speed, plan.controls, plan.notes)

"""Makes a step's result and keeps it in the store, with a run in the dashboard for each box of the flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from distill.config.schema import Experiment
from distill.contracts import (
    Artifact,
    BoxLog,
    Progress,
    Recorded,
    RunFacts,
    Shared,
    Tracker,
    Workbench,
)
from distill.fingerprint import short
from distill.interruption import stop_if_asked
from distill.plan import Step
from distill.store import Store

SHARED = frozenset({"teacher", "soft_targets"})
"""The stages whose results may come from another machine; the baseline is made by the teacher's."""


class Workshop:
    """Where results are made, kept, told and tracked."""

    def __init__(
        self,
        experiment: Experiment,
        store: Store,
        tracker: Tracker,
        progress: Progress,
        shared: Shared | None = None,
    ) -> None:
        self.experiment, self.store, self.tracker, self.progress = experiment, store, tracker, progress
        self.shared = shared
        self.places: dict[Step, Path] = {}

    def box(
        self, job_type: str, step: Step, *, live: bool = True, facts: Mapping[str, Any] | None = None
    ) -> Box:
        """Return a context for the steps of one box of the flow, named after its first step.

        Args:
            job_type: the box of the flow.
            step: what it makes first; boxes of the same job type and step are one run.
            live: whether the dashboard is to show it while it runs.
            facts: what the run is, beside the experiment.
        """
        config = {**(facts or {}), "fingerprint": step.key, **self.experiment.model_dump(mode="json")}
        return Box(self, RunFacts(step.name, job_type, step.key, config), live=live)

    def artifact_name(self, name: str) -> str:
        """Return the name under which something is published."""
        return f"{self.experiment.name}-{name}"

    def filled(self, step: Step, result: Path, scratch: Path) -> bool:
        """Fill the folder of a result from another machine, where that is wanted and possible."""
        if self.shared is None or step.stage not in SHARED:
            return False
        return self.shared.fill(self.artifact_name(step.name), step.key, result, scratch)

    def place(self, step: Step) -> Path:
        """Return the folder of a result that an earlier box made or found."""
        return self.places[step]


class Box:
    """One box of the flow; its run in the dashboard opens only when there is something to record."""

    def __init__(self, workshop: Workshop, facts: RunFacts, *, live: bool) -> None:
        self._shop, self._facts, self._live = workshop, facts, live
        self._stack = ExitStack()
        self._log: BoxLog | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and not self._recorded.finished:
            self._opened_log()
        self._stack.__exit__(kind, error, trace)

    def make(self, step: Step, produce: Callable[[Workbench], None]) -> Path:
        """Return the step's result: from the store, or made now by `produce`."""
        stop_if_asked()
        store = self._shop.store
        found = store.find(step.stage, step.key)
        self._shop.progress.stage(step.stage, step.name, cached=found is not None)

        def work(result: Path, scratch: Path) -> None:
            if self._shop.filled(step, result, scratch):
                return
            log = self._opened_log()
            kept = store.place(step.stage, step.key)
            produce(Workbench(result, scratch, StepLog(log, result, kept), self._shop.progress))
            stop_if_asked()  # before the result is kept: it may be what a library made of the interruption
            log.mark(step.key)

        if found is None:
            found = store.obtain(step.stage, step.key, step.name, work)
        self._shop.places[step] = found
        return found

    def record(self, step: Step, values: Callable[[], Mapping[str, Any]]) -> None:
        """Record what the result of a step in another box says of this one, unless that was done before."""
        if step.key not in self._recorded.marks:
            log = self._opened_log()
            log.summary(values())
            log.mark(step.key)

    def publish(
        self,
        step: Step,
        name: str,
        kind: str,
        *,
        uses: Sequence[tuple[str, Step]] = (),
        folder: bool = True,
        documents: Callable[[], Mapping[str, Any]] = dict,
        metadata: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """Log a step's result as an artifact with what it was made from, unless that was done before.

        Args:
            step: whose result it is.
            name: what it is called within the experiment.
            kind: the artifact's type.
            uses: name and step of what it was made from.
            folder: whether the files of the result are published.
            documents: returns file name -> content of further files.
            metadata: returns what is to be known of it without a download.
        """
        if step.key in self._recorded.published:
            return
        about = {"fingerprint": step.key, "experiment": self._shop.experiment.name, "run": step.name}
        self._opened_log().artifact(
            Artifact(
                self._shop.artifact_name(name),
                kind,
                self._shop.place(step) if folder else None,
                documents=documents(),
                metadata={**about, **metadata()},
                aliases=tuple({short(step.key): None, step.name: None}),
                uses=tuple(f"{self._shop.artifact_name(used)}:{short(of.key)}" for used, of in uses),
            )
        )

    @cached_property
    def _recorded(self) -> Recorded:
        return self._shop.tracker.recorded(self._facts)

    def _opened_log(self) -> BoxLog:
        if self._log is None and self._shop.shared is not None:
            self._log = self._shop.shared.log_of(self._facts.key)
        if self._log is None:
            _ = self._recorded  # what earlier processes have recorded, not this one
            self._log = self._stack.enter_context(self._shop.tracker.run(self._facts, live=self._live))
            done = {step.key for step in self._shop.places}
            if self._facts.key in done:
                self._log.go_on(done)
        return self._log


@dataclass(frozen=True)
class StepLog:
    """A run's log as one step sees it: its pictures will lie where the result is going to be."""

    log: BoxLog
    result: Path
    kept: Path

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record values at an optimiser step."""
        self.log.metrics(values, step)

    def summary(self, values: Mapping[str, Any]) -> None:
        """Record what is final for the run."""
        self.log.summary(values)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Record a table."""
        self.log.table(name, columns, rows)

    def picture(self, name: str, path: Path, kept_as: Path | None = None) -> None:
        """Record a picture or a page."""
        self.log.picture(name, path, kept_as or self.kept / path.relative_to(self.result))

    def rewind(self, step: int) -> None:
        """Go on from a checkpoint."""
        self.log.rewind(step)

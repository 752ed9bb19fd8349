"""Makes a step's result and keeps it in the store, with a run in the dashboard for each box of the flow."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from distill.config.schema import Experiment
from distill.contracts import Artifact, Progress, RunLog, Tracker, Workbench
from distill.interruption import stop_if_asked
from distill.plan import Step
from distill.store import Store


class Workshop:
    """Where results are made, kept, told and tracked."""

    def __init__(self, experiment: Experiment, store: Store, tracker: Tracker, progress: Progress) -> None:
        self.experiment, self.store, self.tracker, self.progress = experiment, store, tracker, progress
        self.places: dict[Step, Path] = {}

    def box(self, job_type: str, step: Step) -> Box:
        """Return a context for the steps of one box of the flow, named after its first step."""
        return Box(self, job_type, step)

    def artifact_name(self, step: Step) -> str:
        """Return the name under which a step's result is published."""
        return f"{self.experiment.name}-{step.name.replace('/', '-')}"

    def place(self, step: Step) -> Path:
        """Return the folder of a result that an earlier box made or found."""
        return self.places[step]


class Box:
    """One box of the flow; its run in the dashboard opens only when there is something to do."""

    def __init__(self, workshop: Workshop, job_type: str, step: Step) -> None:
        self._shop, self._job_type, self._step = workshop, job_type, step
        self._stack = ExitStack()
        self._log: RunLog | None = None
        self._made: set[Step] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def make(self, step: Step, produce: Callable[[Workbench], None]) -> Path:
        """Return the step's result: from the store, or made now by `produce`."""
        stop_if_asked()
        store = self._shop.store
        found = store.find(step.stage, step.key)
        self._shop.progress.stage(step.stage, step.name, cached=found is not None)

        def work(result: Path, scratch: Path) -> None:
            produce(Workbench(result, scratch, self._opened_log(), self._shop.progress))
            stop_if_asked()  # before the result is kept: it may be what a library made of the interruption
            self._made.add(step)

        if found is None:
            found = store.obtain(step.stage, step.key, step.name, work)
        self._shop.places[step] = found
        return found

    def publish(self, step: Step, kind: str, uses: Sequence[Step]) -> None:
        """Log the folder of a step that was made just now as an artifact, with what it was made from."""
        if step in self._made:
            name = self._shop.artifact_name
            self._opened_log().artifact(
                Artifact(
                    name=name(step),
                    type=kind,
                    folder=self._shop.place(step),
                    metadata={
                        "fingerprint": step.key,
                        "experiment": self._shop.experiment.name,
                        "run": step.name,
                    },
                    aliases=(step.name,),
                    uses=tuple(name(used) for used in uses),
                )
            )

    def _opened_log(self) -> RunLog:
        if self._log is None:
            run = self._shop.tracker.run(
                name=self._step.name,
                job_type=self._job_type,
                key=self._step.key,
                config=self._shop.experiment.model_dump(mode="json"),
                history=self._shop.store.root / "history" / f"{self._step.stage}-{self._step.key}.jsonl",
            )
            self._log = self._stack.enter_context(run)
            if self._step in self._shop.places:
                self._log.rewind(
                    sys.maxsize
                )  # the training is done and stays recorded; this goes on after it
        return self._log

"""Tries a server out: log, read back, compare, delete, by the code that experiments use."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

from distill.contracts import BoxLog, RunFacts
from distill.dashboard import probe as content
from distill.dashboard.cleaning import clean_up
from distill.dashboard.probe import Probe
from distill.errors import DistillError, TrackingError
from distill.tracking import open_tracker
from distill.tracking.access import public_api, require_access
from distill.tracking.journals import Journals, Project
from distill.tracking.patience import within
from distill.tracking.wandb_settings import environment, first_line, stop_service

if TYPE_CHECKING:
    import wandb

PROJECT = "distill-doctor"
TOTAL_SECONDS = 60.0
"""The longest that all steps may take together, but for cleaning up."""
SENT_LATER = "the journals have everything, to be sent later"
READ_SECONDS = 15.0
CLEAN_SECONDS = 20.0
SETTLE_SECONDS = 10.0
"""How long a server may take to show what it has taken."""

Action: TypeAlias = Callable[[], object]


@dataclass(frozen=True)
class Step:
    """How one step went."""

    name: str
    seconds: float
    failure: str = ""
    """Empty where all was well."""


@dataclass
class Notes:
    """Keeps what the tracker says when wandb fails."""

    texts: list[str] = field(default_factory=list)

    def stage(self, stage: str, name: str, *, cached: bool) -> None:
        """No step of a plan runs here."""

    def advance(self, done: int, total: int, note: str = "") -> None:
        """Nothing here takes long enough."""

    def note(self, text: str) -> None:
        """Keep it, without what holds for experiments alone: the journals of a round trip are not kept."""
        self.texts.append(text.removeprefix("wandb failed (").removesuffix(f"): {SENT_LATER}"))


def round_trip() -> Iterator[Step]:
    """Log two runs, read them back through the public API alone, compare, and delete them again.

    Yields:
        Each step once it is done. The first that fails is the last but for cleaning up.
    """
    with TemporaryDirectory() as scratch, environment(Path(scratch) / "wandb"):
        trip = _Trip(Path(scratch))
        try:
            yield from trip.steps()
        finally:
            stop_service()


class _Trip:
    def __init__(self, scratch: Path) -> None:
        self._scratch, self._notes, self._begun = scratch, Notes(), time.monotonic()
        self._open = ExitStack()
        name = f"doctor-{secrets.token_hex(6)}"
        self._probe = Probe(scratch / "probe", name)
        self._project = Project(PROJECT, None, name, ())
        self._facts = [RunFacts(who, who, f"{name}-{who}", {"name": name}) for who in ("writer", "reader")]
        self._runs = [Journals(scratch).run_id(self._project, facts) for facts in self._facts]
        self._tracker = open_tracker(
            mode="online",
            project=PROJECT,
            entity=None,
            experiment=name,
            store_root=scratch,
            tags=(),
            progress=self._notes,
        )

    def steps(self) -> Iterator[Step]:
        access = self._tried("key and server", require_access)
        yield access
        if access.failure:
            return
        try:
            for step in (*self._logging(), *self._reading()):
                done = self._tried(*step)
                yield done
                if done.failure:
                    break
        except BaseException:  # Ctrl-C, or nobody wants to know any more
            self._cleaned()
            raise
        yield self._cleaned()

    def _cleaned(self) -> Step:
        return self._tried("delete all of it again", self._delete, always=True)

    def _logging(self) -> list[tuple[str, Action]]:
        """Return what goes out: all through the tracker, which never raises but says what failed."""
        logs: list[BoxLog] = []
        probe, writer, reader = self._probe, *self._facts
        probe.write()

        def open_(facts: RunFacts) -> None:
            logs.append(self._open.enter_context(self._tracker.run(facts)))

        def rows() -> None:
            for number in range(content.ROWS):
                logs[-1].metrics(probe.row(number), number)

        return [
            ("open a run", lambda: open_(writer)),
            (f"log {content.ROWS} rows", rows),
            ("log a table", lambda: logs[-1].table("table", content.COLUMNS, content.TABLE)),
            ("log a picture", lambda: logs[-1].picture("picture", probe.picture)),
            ("log a summary", lambda: logs[-1].summary(content.SUMMARY)),
            ("upload an artifact", lambda: logs[-1].artifact(probe.artifact)),
            ("finish the run", self._open.close),
            ("open a second run", lambda: open_(reader)),
            ("use the artifact in it", lambda: logs[-1].artifact(probe.conclusion)),
            ("finish the second run", self._open.close),
        ]

    def _reading(self) -> list[tuple[str, Action]]:
        """Return what is read back, each time with an API that remembers nothing."""
        probe, scratch = self._probe, self._scratch / "read"
        return [
            ("read the rows back", self._settled(lambda api: content.check_rows(probe, self._run(api)))),
            ("read the summary back", self._settled(lambda api: content.check_summary(self._run(api)))),
            (
                "read table and picture back",
                self._settled(lambda api: content.check_media(probe, self._run(api), scratch)),
            ),
            (
                "download the artifact",
                self._settled(lambda api: content.check_files(probe, self._artifact(api), scratch)),
            ),
            (
                "read the lineage back",
                self._settled(lambda api: content.check_lineage(probe, self._artifact(api), self._runs)),
            ),
        ]

    def _tried(self, name: str, action: Action, *, always: bool = False) -> Step:
        begun = time.monotonic()
        failure = ""
        left = CLEAN_SECONDS if always else self._begun + TOTAL_SECONDS - begun
        try:
            within(max(left, 1.0), action)
            if not always:
                failure = next(iter(self._notes.texts), "")
        except DistillError as error:
            failure = str(error)
        except Exception as error:  # noqa: BLE001 - the SDK raises what it likes; the step has failed
            failure = first_line(error)
        return Step(name, time.monotonic() - begun, failure)

    def _settled(self, check: Callable[[wandb.Api], None]) -> Action:
        """Return the check as an action that repeats it: a server may show later what it has taken."""

        def read() -> None:
            until = time.monotonic() + SETTLE_SECONDS
            while True:
                try:
                    return check(public_api())
                except TrackingError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.5)

        return lambda: within(READ_SECONDS, read)

    def _run(self, api: wandb.Api) -> wandb.apis.public.Run:
        return api.run(f"{PROJECT}/{self._runs[0]}")

    def _artifact(self, api: wandb.Api) -> wandb.Artifact:
        found: wandb.Artifact = api.artifact(f"{PROJECT}/{self._probe.name}:{self._probe.name}")
        return found

    def _delete(self) -> None:
        with suppress(
            Exception
        ):  # what a step that was given up may still hold; the run goes away all the same
            self._open.close()
        clean_up(PROJECT, self._probe.name, self._runs)

"""Where the server finds what it remembers."""

from __future__ import annotations

import base64
import itertools
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from wandb_server.records import Project, Run

Record = TypeVar("Record")


class Refusal(Exception):  # noqa: N818 - it is no error of the server's
    """An answer that GraphQL gives under `errors`."""


class State:
    """Everything that the server remembers; the bytes of files lie below `folder`."""

    def __init__(self, folder: Path, entity: str) -> None:
        """Remember nothing yet."""
        self.folder = folder
        self.entity = entity
        self.url = ""
        self.lock = threading.RLock()
        self.projects: dict[tuple[str, str], Project] = {}
        self.alerts: list[dict[str, Any]] = []
        self.unknown: set[str] = set()
        self.crashes_after = 60.0
        """Seconds without a sign of life until a running run counts as crashed."""
        self._records: dict[str, Any] = {}
        self._numbers = itertools.count(1)

    def next_number(self) -> int:
        """Return a number that was never given before."""
        return next(self._numbers)

    def add(self, kind: str, make: Callable[..., Record], /, **fields: Any) -> Record:
        """Make a record with an id of its own, and remember it."""
        identity = global_id(kind, self.next_number())
        record = make(id=identity, **fields)
        self.remember(identity, record)
        return record

    def remember(self, identity: str, record: Any) -> None:
        """Let a record be found by an id, such as one that the SDK has chosen."""
        self._records[identity] = record

    def forget(self, identity: str) -> None:
        """Let a record be found no longer."""
        del self._records[identity]

    def look_up(self, identity: str | None, record_type: type[Record]) -> Record | None:
        """Return the record with that id, or nothing."""
        record = self._records.get(identity or "")
        return record if isinstance(record, record_type) else None

    def find(self, identity: str, record_type: type[Record]) -> Record:
        """Return the record with that id.

        Raises:
            Refusal: there is none.
        """
        record = self.look_up(identity, record_type)
        if record is None:
            message = f"there is no {record_type.__name__} with the id {identity}"
            raise Refusal(message)
        return record

    def project(self, name: str | None, entity: str | None = None) -> Project:
        """Return a project, made where it is new."""
        key = (entity or self.entity, name or "uncategorized")
        if key not in self.projects:
            number = self.next_number()
            self.projects[key] = Project(global_id("Project", number), number, *key, created_at=now())
        return self.projects[key]

    def run(self, entity: str, project: str, name: str) -> Run:
        """Return a run.

        Raises:
            Refusal: there is none.
        """
        found = self.projects.get((entity, project))
        if found is None or name not in found.runs:
            message = f"there is no run {entity}/{project}/{name}"
            raise Refusal(message)
        return found.runs[name]

    def state_of(self, run: Run) -> str:
        """Return a run's state: one that runs but has given no sign of life for long has crashed."""
        silent = time.monotonic() - run.seen
        return "crashed" if run.state == "running" and silent > self.crashes_after else run.state


def global_id(kind: str, number: int) -> str:
    """Return an id as wandb makes them; the SDK reads the number out of a project's."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def now() -> str:
    """Return the time as wandb writes it."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

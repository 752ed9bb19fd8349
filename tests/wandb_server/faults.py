"""What can go wrong, when a test asks for it."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TypeVar

from wandb_server.http import ConnectionLostError, Response


@dataclass
class Fault:
    """Spoils the requests whose description contains `matching`, as often as `times`.

    A request is described by its method, its path and, for GraphQL, the name of its operation:
    `POST /graphql CreateArtifact`.
    """

    matching: str = ""
    times: float = math.inf
    hits: int = 0
    """How many requests it has spoilt."""


@dataclass
class Slow(Fault):
    """Requests wait before they are answered."""

    seconds: float = 1.0


@dataclass
class Failing(Fault):
    """Requests are answered with an error, and nothing is done."""

    status: int = 500


@dataclass
class LostUpload(Fault):
    """The connection is cut before an upload has arrived."""


@dataclass
class LostAnswer(Fault):
    """What was asked is done, and then the connection is cut."""


Kind = TypeVar("Kind", bound=Fault)


class Faults:
    """The faults that are at work."""

    def __init__(self) -> None:
        """Begin without any."""
        self._faults: list[Fault] = []
        self._healed = threading.Event()
        self._lock = threading.Lock()

    def add(self, fault: Kind) -> Kind:
        """Put a fault to work."""
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        """End all faults; who waits, waits no longer."""
        self._faults.clear()
        self._healed.set()
        self._healed = threading.Event()

    def before_body(self, request: str) -> None:
        """Spoil a request whose body has not been read."""
        if request.startswith("PUT ") and self._take(LostUpload, request):
            raise ConnectionLostError

    def before_answer(self, request: str) -> Response | None:
        """Wait, or return an error."""
        if slow := self._take(Slow, request):
            self._healed.wait(slow.seconds)
        if failing := self._take(Failing, request):
            return Response.of_json({"error": "asked for by a test"}, failing.status)
        return None

    def after_answer(self, request: str) -> None:
        """Lose what was answered."""
        if self._take(LostAnswer, request):
            raise ConnectionLostError

    def _take(self, kind: type[Kind], request: str) -> Kind | None:
        with self._lock:
            for fault in self._faults:
                if isinstance(fault, kind) and fault.matching in request and fault.hits < fault.times:
                    fault.hits += 1
                    return fault
        return None

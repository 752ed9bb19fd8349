"""The server: starts and stops, sends requests to where they are answered, and spoils them when it is told to."""

from __future__ import annotations

import json
import re
import threading
import traceback
from pathlib import Path

from wandb_server import (  # noqa: F401 - what they answer is registered when they are imported
    artifact_changes,
    artifact_uploads,
    artifacts,
    projects,
    run_changes,
    sweeps,
    views,
)
from wandb_server.faults import Failing, Faults, LostAnswer, LostUpload, Slow
from wandb_server.files import serve_storage
from wandb_server.filestream import take_stream
from wandb_server.graphql import Operation
from wandb_server.http import Listener, Request, Response
from wandb_server.manifests import serve_content
from wandb_server.state import Refusal, State

FILE_STREAM = re.compile(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream")
ARTIFACT_FILE = re.compile(r"/artifacts(?:V2)?/(?:.*/)?([0-9a-f]{32})(?:/[^/]+)?")
FOREVER = float("inf")


class WandbServer:
    """A server on a port of loopback; what it remembers lies in `state`, and survives `down` and `up`."""

    def __init__(self, folder: Path, entity: str = "laboratory") -> None:
        """Hold a port.

        Args:
            folder: where the bytes of files lie.
            entity: the one user that there is.
        """
        self.state = State(folder, entity)
        self.requests: list[str] = []
        """What was asked, in turn: `POST /graphql CreateArtifact`."""
        self.errors: list[str] = []
        """What went wrong in the server itself."""
        self._faults = Faults()
        self._listener = self._hold(0)
        self._thread: threading.Thread | None = None
        self.port: int = self._listener.server_address[1]
        self.state.url = self.url

    @property
    def url(self) -> str:
        """Return what WANDB_BASE_URL has to be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def unknown(self) -> list[str]:
        """Return what the SDK asked for that is not there."""
        return sorted(self.state.unknown)

    def up(self) -> None:
        """Take connections."""
        self._listener.server_activate()
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def down(self) -> None:
        """Cut all connections and refuse new ones, until `up`."""
        self._end()
        self._listener = self._hold(self.port)

    def stop(self) -> None:
        """Give the port back."""
        self.heal()
        self._end()

    def slow(self, seconds: float, matching: str = "", times: float = FOREVER) -> Slow:
        """Wait before answering what matches."""
        return self._faults.add(Slow(matching, times, seconds=seconds))

    def fail(self, status: int = 500, matching: str = "", times: float = FOREVER) -> Failing:
        """Answer what matches with an error, and do nothing."""
        return self._faults.add(Failing(matching, times, status=status))

    def lose_upload(self, matching: str = "", times: float = 1) -> LostUpload:
        """Cut the connection in the middle of an upload."""
        return self._faults.add(LostUpload(matching, times))

    def lose_answer(self, matching: str = "", times: float = 1) -> LostAnswer:
        """Do what is asked, and cut the connection before the answer."""
        return self._faults.add(LostAnswer(matching, times))

    def heal(self) -> None:
        """End all faults but `down`."""
        self._faults.heal()

    def _hold(self, port: int) -> Listener:
        return Listener(port, self._respond, self._faults.before_body, self.errors.append)

    def _end(self) -> None:
        if self._thread:
            self._listener.shutdown()
            self._thread.join()
            self._thread = None
        self._listener.server_close()
        self._listener.cut_connections()

    def _respond(self, request: Request) -> Response:
        """Answer a request, unless it is spoilt."""
        asked = f"{request.method} {request.path}"
        try:
            operation = Operation(json.loads(request.body)) if request.path == "/graphql" else None
            asked += f" {operation.name}" if operation else ""
            self.requests.append(asked)
            response = self._faults.before_answer(asked) or self._answer(request, operation)
        except Exception:  # noqa: BLE001 - told by the fixture
            self.errors.append(f"{asked}: {traceback.format_exc(limit=-4)}")
            response = Response.of_json({"error": "the test server failed"}, 400)  # wandb tries a 500 again
        self._faults.after_answer(asked)
        return response

    def _answer(self, request: Request, operation: Operation | None) -> Response:
        state = self.state
        try:
            with state.lock:
                if operation:
                    return Response.of_json({"data": operation.execute(state)})
                if found := FILE_STREAM.fullmatch(request.path):
                    return Response.of_json(
                        take_stream(state, state.run(*found.groups()), json.loads(request.body))
                    )
            if request.path.startswith("/storage/"):
                return serve_storage(state, request, request.path.removeprefix("/storage/"))
            if found := ARTIFACT_FILE.fullmatch(request.path):
                return serve_content(state, found[1])
        except Refusal as refusal:
            return Response.of_json(
                {"data": None, "errors": [{"message": str(refusal)}]}, 200 if operation else 404
            )
        if request.path == "/":  # the dashboard's page; distill asks for it to see whether anybody is there
            return Response.of_json({})
        state.unknown.add(f"{request.method} {request.path}")
        return Response.of_json({"error": "no such address"}, 404)

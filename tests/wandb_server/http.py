"""From sockets to requests, and back."""

from __future__ import annotations

import gzip
import json
import socket
import sys
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """What was asked, its body unpacked."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Response:
    """What is answered."""

    body: bytes
    status: int = 200
    kind: str = "application/json"

    @classmethod
    def of_json(cls, content: Any, status: int = 200) -> Response:
        """Answer with JSON."""
        return cls(json.dumps(content).encode(), status)


class ConnectionLostError(ConnectionError):
    """The connection is to be cut, by a fault that was asked for."""


class Handler(BaseHTTPRequestHandler):
    """One connection, kept alive over many requests."""

    server: Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        """Remember the connection, so that it can be cut."""
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        super().finish()
        self.server.connections.discard(self.connection)

    def answer(self) -> None:
        """Read one request and answer it."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        try:
            self.server.before_body(f"{self.command} {path}")
            request = Request(self.command, path, self.headers, self._read_body())
            response = self.server.respond(request)
        except ConnectionLostError:
            self.close_connection = True
            cut(self.connection)
            return
        self.send_response(response.status)
        self.send_header("content-type", response.kind)
        self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            body = self._read_chunks()
        else:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionLostError
        return gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" and body else body

    def _read_chunks(self) -> bytes:
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)


class Listener(ThreadingHTTPServer):
    """Listens on a port of loopback, or only holds it, so that connections are refused."""

    daemon_threads = True

    def __init__(
        self,
        port: int,
        respond: Callable[[Request], Response],
        before_body: Callable[[str], None],
        failed: Callable[[str], None],
    ) -> None:
        """Hold the port; nobody can connect before `listen`.

        Args:
            port: 0 takes any that is free.
            respond: answers a request.
            before_body: is told method and path before the body is read, and may raise ConnectionLostError.
            failed: is told what went wrong in a connection.
        """
        super().__init__(("127.0.0.1", port), Handler, bind_and_activate=False)
        self.connections: set[socket.socket] = set()
        self.respond = respond
        self.before_body = before_body
        self._failed = failed
        self.server_bind()

    def server_bind(self) -> None:
        """Bind without asking for this machine's name, which may ask the network."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell what went wrong, unless the other side has gone."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            self._failed(repr(error))

    def cut_connections(self) -> None:
        """Cut what is open."""
        for connection in list(self.connections):
            cut(connection)


def cut(connection: socket.socket) -> None:
    """End a connection in both directions."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was quicker

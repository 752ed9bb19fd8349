"""Bytes: files of runs, manifests, and the contents of artifacts by their MD5."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import threading
import urllib.parse
from datetime import UTC, datetime
from pathlib import Path

from wandb_server.graphql import Node
from wandb_server.http import Request, Response
from wandb_server.records import Run
from wandb_server.state import State, global_id


def run_folder(run: Run) -> str:
    """Return where a run's files lie, as seen from the server's folder."""
    return f"runs/{run.project.entity}/{run.project.name}/{run.name}"


def content_key(digest: str) -> str:
    """Return where the bytes lie whose MD5 a manifest gives in base 64."""
    return f"contents/{base64.b64decode(digest).hex()}"


def path_of(state: State, key: str) -> Path:
    """Return the place of a stored file.

    Raises:
        ValueError: the key leads out of the server's folder.
    """
    path = (state.folder / key).resolve()
    if not path.is_relative_to(state.folder.resolve()):
        message = f"{key} lies outside"
        raise ValueError(message)
    return path


def show_file(state: State, name: str, key: str) -> Node:
    """Return what can be asked of a file, whether it was uploaded already or is about to be."""
    path = path_of(state, key)
    content = path.read_bytes() if path.is_file() else None
    digest = None if content is None else md5_of(content)
    address = f"{state.url}/storage/{urllib.parse.quote(key)}"
    changed = datetime.fromtimestamp(path.stat().st_mtime if content is not None else 0, UTC)
    return Node(
        "File",
        id=global_id("File:" + key, 0),
        name=name,
        display_name=name,
        url=lambda upload=False: address,
        direct_url=address,
        upload_url=address,
        upload_headers=[],
        upload_multipart_urls=None,  # only offered for files of gigabytes
        size_bytes=len(content or b""),
        mimetype=mimetypes.guess_type(name)[0] or "",
        updated_at=changed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        digest=digest,
        md5=digest,
        storage_path=key,
    )


def md5_of(content: bytes) -> str:
    """Return the MD5 in base 64, as manifests and HTTP give it."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def serve_storage(state: State, request: Request, key: str) -> Response:
    """Keep or hand out a file. The SDK takes these addresses from GraphQL and shows no key."""
    if request.method == "PUT":
        return _keep(path_of(state, key), request)
    return hand_out(path_of(state, key))


def hand_out(path: Path) -> Response:
    """Answer with a file's bytes."""
    if not path.is_file():
        return Response.of_json({"error": "no such file"}, 404)
    return Response(path.read_bytes(), kind=mimetypes.guess_type(path.name)[0] or "application/octet-stream")


def _keep(path: Path, request: Request) -> Response:
    announced = request.headers.get("content-md5")
    if announced and announced != md5_of(request.body):
        return Response.of_json({"error": "BadDigest"}, 400)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{threading.get_ident()}.part")
    aside.write_bytes(request.body)
    aside.replace(path)
    return Response(b"")

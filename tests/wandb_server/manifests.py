"""What an artifact consists of: its manifest, and the files that the manifest names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from wandb_server.connection import connection
from wandb_server.files import content_key, hand_out, path_of, show_file
from wandb_server.graphql import Node
from wandb_server.http import Response
from wandb_server.records import Artifact
from wandb_server.state import State, global_id

MANIFEST = "wandb_manifest.json"


def manifest_key(artifact: Artifact) -> str:
    """Return where an artifact's manifest lies, as seen from the server's folder."""
    return f"manifests/{artifact.number}/{MANIFEST}"


def entries_of(state: State, artifact: Artifact) -> dict[str, Any]:
    """Return the entries of an artifact's manifest by their paths; none before it was uploaded."""
    path = path_of(state, manifest_key(artifact))
    return json.loads(path.read_bytes())["contents"] if path.is_file() else {}


def missing_contents(state: State, artifact: Artifact) -> list[str]:
    """Return the files that the manifest names and that were never uploaded."""
    return [
        name
        for name, entry in entries_of(state, artifact).items()
        if "ref" not in entry and not path_of(state, content_key(entry["digest"])).is_file()
    ]


def complete_manifest(state: State, artifact: Artifact, base: Artifact) -> None:
    """Add to the manifest of an incremental artifact what it has from its base."""
    path = path_of(state, manifest_key(artifact))
    manifest = json.loads(path.read_bytes())
    manifest["contents"] = entries_of(state, base) | manifest["contents"]
    path.write_text(json.dumps(manifest), encoding="utf-8")


def show_manifest(state: State, artifact: Artifact) -> Node:
    """Return a manifest: where it is read from, or to be uploaded to."""
    return Node(
        "ArtifactManifest",
        id=global_id("ArtifactManifest", artifact.number),
        file=show_file(state, MANIFEST, manifest_key(artifact)),
    )


def artifact_files(
    artifact: Artifact,
    state: State,
    names: Sequence[str] | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Node:
    """ArtifactMembershipFiles, GetArtifactMembershipFileUrls: what `download` fetches, references too."""
    entries = sorted(entries_of(state, artifact).items())
    shown = [_show_entry(state, name, entry) for name, entry in entries if not names or name in names]
    return connection(shown, first, after)


def files_by_entries(
    artifact: Artifact,
    state: State,
    entries: Sequence[dict[str, Any]],
    storage_layout: str,
    manifest_version: str,
    storage_region: str | None = None,
) -> Node:
    """ArtifactFileURLsByManifestEntries: `use_artifact(...).download()` asks for addresses by the hundred."""
    return artifact_files(artifact, state, [entry["name"] for entry in entries])


def serve_content(state: State, hexadecimal: str) -> Response:
    """Hand out an artifact's file by its MD5, where the SDK has no address of its own for it."""
    return hand_out(path_of(state, f"contents/{hexadecimal}"))


def _show_entry(state: State, name: str, entry: dict[str, Any]) -> Node:
    if "ref" not in entry:
        return show_file(state, name, content_key(entry["digest"]))
    shown = show_file(state, name, f"references/{PurePosixPath(name).name}")
    shown.fields |= {"direct_url": entry["ref"], "url": entry["ref"], "size_bytes": entry.get("size") or 0}
    return shown

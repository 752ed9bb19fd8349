"""How an artifact comes: it is made, its files and its manifest are uploaded, it is committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wandb_server.artifact_versions import add_version, collection_for
from wandb_server.connection import connection
from wandb_server.files import content_key, path_of, show_file
from wandb_server.graphql import Node, mutation
from wandb_server.manifests import complete_manifest, missing_contents, show_manifest
from wandb_server.records import Artifact, Collection
from wandb_server.state import Refusal, State, now


@mutation
def create_artifact(
    state: State,
    artifact_type_name: str,
    project_name: str,
    digest: str,
    artifact_collection_name: str | None = None,
    artifact_collection_names: Sequence[str] = (),
    entity_name: str | None = None,
    run_name: str | None = None,
    description: str | None = None,
    metadata: str | None = None,
    aliases: Sequence[dict[str, str]] = (),
    tags: Sequence[dict[str, str]] = (),
    client_id: str | None = None,
    sequence_client_id: str | None = None,
    digest_algorithm: str | None = None,
    enable_digest_deduplication: bool = False,
    history_step: int | None = None,
) -> Node:
    """CreateArtifact: `run.log_artifact`. One of the same content is not made again, it gets the new aliases."""
    project = state.project(project_name, entity_name)
    name = artifact_collection_name or artifact_collection_names[0]
    sequence = collection_for(state, project, name, artifact_type_name)
    run = project.runs.get(run_name or "")
    wanted = [alias["alias"] for alias in aliases]
    made = _same_content(sequence, digest) if enable_digest_deduplication else None
    if made:
        add_version(state, sequence, made, wanted)
    else:
        made = state.add(
            "Artifact",
            Artifact,
            number=state.next_number(),
            sequence=sequence,
            digest=digest,
            created_at=now(),
            metadata=metadata,
            description=description,
            created_by=run,
            history_step=history_step,
            wanted_aliases=wanted,
            tags={tag["tag_name"] for tag in tags},
        )
    for identity, record in ((client_id, made), (sequence_client_id, sequence)):
        if identity:
            state.remember(identity, record)
    if run and made not in run.logged:
        run.logged.append(made)
    return Node("CreateArtifactPayload", artifact=made)


@mutation
def create_artifact_manifest(
    state: State,
    artifact_id: str,
    name: str,
    digest: str,
    entity_name: str,
    project_name: str,
    run_name: str,
    type_: str = "FULL",
    base_artifact_id: str | None = None,
) -> Node:
    """CreateArtifactManifest: where may the manifest be uploaded to?"""
    found = state.find(artifact_id, Artifact)
    shown = show_manifest(state, found)
    state.remember(shown.fields["id"], found)
    if type_ == "INCREMENTAL":
        found.base = state.find(base_artifact_id or "", Artifact)
    elif type_ != "FULL":
        state.unknown.add(f"CreateArtifactManifest of type {type_}")
    return Node("CreateArtifactManifestPayload", artifact_manifest=shown)


@mutation
def update_artifact_manifest(
    state: State, artifact_manifest_id: str, digest: str | None = None, base_artifact_id: str | None = None
) -> Node:
    """UpdateArtifactManifest: the manifest again, now that all its digests are known."""
    found = state.find(artifact_manifest_id, Artifact)
    return Node("UpdateArtifactManifestPayload", artifact_manifest=show_manifest(state, found))


@mutation
def create_artifact_files(
    state: State, artifact_files: Sequence[dict[str, Any]], storage_layout: str | None = None
) -> Node:
    """CreateArtifactFiles: where may these be uploaded to? Content that is here already needs no upload."""
    shown = []
    for file in artifact_files:
        key = content_key(file["md5"])
        node = show_file(state, file["name"], key)
        node.fields["artifact"] = state.find(file["artifact_id"], Artifact)
        if path_of(state, key).is_file():
            node.fields["upload_url"] = None
        shown.append(node)
    return Node("CreateArtifactFilesPayload", files=connection(shown))


@mutation
def commit_artifact(state: State, artifact_id: str) -> Node:
    """CommitArtifact: from now on it is a version of its collection.

    Raises:
        Refusal: something that its manifest names was never uploaded.
    """
    found = state.find(artifact_id, Artifact)
    if missing := missing_contents(state, found):
        message = f"{found.sequence.name} cannot be committed without {', '.join(missing)}"
        raise Refusal(message)
    if found.base:
        complete_manifest(state, found, found.base)
    found.state = "COMMITTED"
    add_version(state, found.sequence, found, found.wanted_aliases)
    return Node("CommitArtifactPayload", artifact=found)


def _same_content(sequence: Collection, digest: str) -> Artifact | None:
    return next((one.artifact for one in sequence.members if one.artifact.digest == digest), None)

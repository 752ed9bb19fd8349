"""Artifacts: what is asked of them."""

from __future__ import annotations

from functools import partial

from wandb_server.artifact_collections import aliases_of, show_type, version_of
from wandb_server.connection import connection
from wandb_server.files import path_of
from wandb_server.graphql import Node, query, show
from wandb_server.manifests import artifact_files, entries_of, files_by_entries, manifest_key, show_manifest
from wandb_server.records import Artifact, Membership
from wandb_server.state import State, global_id

INHERITED = -2
"""What wandb gives as time to live where there is none of its own."""


@show.register(Artifact)
def show_artifact(artifact: Artifact, state: State) -> Node:
    """ArtifactFragment, and what leads to the runs that made and used it."""
    entries = entries_of(state, artifact)
    uploaded = path_of(state, manifest_key(artifact)).is_file()
    return Node(
        "Artifact",
        id=artifact.id,
        artifact_sequence=artifact.sequence,
        artifact_type=show_type(artifact.sequence.project, state, artifact.sequence.type),
        artifact_memberships=lambda first=None, after=None: connection(artifact.memberships, first, after),
        version_index=version_of(artifact),
        aliases=[alias for member in artifact.memberships for alias in aliases_of(member)],
        tags=[_show_tag(tag) for tag in sorted(artifact.tags)],
        description=artifact.description,
        metadata=artifact.metadata,
        state=artifact.state,
        digest=artifact.digest,
        digest_algorithm="MANIFEST_MD5",
        size=sum(int(entry.get("size") or 0) for entry in entries.values()),
        file_count=len(entries),
        commit_hash=f"{artifact.number:020x}",
        history_step=artifact.history_step,
        ttl_duration_seconds=INHERITED,
        ttl_is_inherited=True,
        created_at=artifact.created_at,
        updated_at=artifact.created_at,
        created_by=artifact.created_by,
        used_by=lambda: connection(artifact.used_by),
        current_manifest=show_manifest(state, artifact) if uploaded else None,
        files=partial(artifact_files, artifact, state),
        files_by_manifest_entries=partial(files_by_entries, artifact, state),
    )


@show.register(Membership)
def show_membership(member: Membership, state: State) -> Node:
    """ArtifactMembershipFragment: an artifact as a version of a collection."""
    return Node(
        "ArtifactCollectionMembership",
        id=member.id,
        artifact=member.artifact,
        artifact_collection=member.collection,
        version_index=member.version,
        created_at=member.created_at,
        aliases=aliases_of(member),
        files=partial(artifact_files, member.artifact, state),
    )


@query
def artifact(state: State, id_: str) -> Artifact | None:
    """ArtifactByID and others."""
    return state.look_up(id_, Artifact)


@query
def client_id_mapping(state: State, client_id: str) -> Node | None:
    """ClientIDMapping: the artifact that the SDK has given an id before the server did."""
    found = state.look_up(client_id, Artifact)
    return Node("ClientIDMapping", server_id=found.id) if found else None


def _show_tag(name: str) -> Node:
    return Node("Tag", id=global_id(f"Tag:{name}", 0), name=name)

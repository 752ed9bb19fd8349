"""What is done to artifacts: made, uploaded, committed, used, renamed, linked and deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wandb_server.connection import connection
from wandb_server.files import content_key, path_of, show_file
from wandb_server.graphql import Node, mutation
from wandb_server.manifests import complete_manifest, missing_contents, show_manifest
from wandb_server.records import Artifact, Collection, Membership, Project
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
    sequence = _sequence(state, project, name, artifact_type_name)
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


@mutation
def use_artifact(
    state: State,
    artifact_id: str,
    entity_name: str,
    project_name: str,
    run_name: str,
    used_as: str | None = None,
    artifact_entity_name: str | None = None,
    artifact_project_name: str | None = None,
) -> Node:
    """UseArtifact: the run reads the artifact; used twice is used once."""
    found, run = state.find(artifact_id, Artifact), state.run(entity_name, project_name, run_name)
    if found not in run.used:
        run.used.append(found)
        found.used_by.append(run)
    return Node("UseArtifactPayload", artifact=found)


@mutation
def update_artifact(
    state: State,
    artifact_id: str,
    description: str | None = None,
    metadata: str | None = None,
    aliases: Sequence[dict[str, str]] | None = None,
    tags_to_add: Sequence[dict[str, str]] = (),
    tags_to_delete: Sequence[dict[str, str]] = (),
) -> Node:
    """UpdateArtifact: `artifact.save()`. A list of aliases replaces those that there are."""
    found = state.find(artifact_id, Artifact)
    found.description = found.description if description is None else description
    found.metadata = found.metadata if metadata is None else metadata
    found.tags |= {tag["tag_name"] for tag in tags_to_add}
    found.tags -= {tag["tag_name"] for tag in tags_to_delete}
    for member in found.memberships if aliases is not None else []:
        member.aliases.clear()
        add_version(state, member.collection, found, _for_collection(member, aliases or ()))
    return Node("UpdateArtifactPayload", artifact=found)


@mutation
def add_aliases(state: State, artifact_id: str, aliases: Sequence[dict[str, str]]) -> Node:
    """AddAliases: an alias that another version has moves here."""
    found = state.find(artifact_id, Artifact)
    for member in found.memberships:
        add_version(state, member.collection, found, _for_collection(member, aliases))
    return Node("AddAliasesPayload", success=True)


@mutation
def delete_aliases(state: State, artifact_id: str, aliases: Sequence[dict[str, str]]) -> Node:
    """DeleteAliases."""
    for member in state.find(artifact_id, Artifact).memberships:
        member.aliases -= set(_for_collection(member, aliases))
    return Node("DeleteAliasesPayload", success=True)


@mutation
def delete_artifact(state: State, artifact_id: str, delete_aliases: bool = False) -> Node:
    """DeleteArtifact: `artifact.delete()`.

    Raises:
        Refusal: it has aliases, and nobody said that they may go.
    """
    found = state.find(artifact_id, Artifact)
    if not delete_aliases and any(member.aliases for member in found.memberships):
        message = "the artifact has aliases"
        raise Refusal(message)
    for member in found.memberships:
        member.collection.members.remove(member)
        if "latest" in member.aliases and member.collection.members:
            member.collection.members[-1].aliases.add("latest")
    found.memberships, found.state = [], "DELETED"
    return Node("DeleteArtifactPayload", artifact=found)


@mutation
def delete_artifact_sequence(state: State, artifact_sequence_id: str) -> Node:
    """DeleteArtifactSequence: `collection.delete()`, with all versions."""
    found = state.find(artifact_sequence_id, Collection)
    for member in found.members:
        member.artifact.memberships.remove(member)
        member.artifact.state = "DELETED"
    del found.project.collections[found.name]
    return Node("DeleteArtifactSequencePayload", artifact_collection=found)


@mutation
def link_artifact(
    state: State,
    artifact_portfolio_name: str,
    entity_name: str,
    project_name: str,
    aliases: Sequence[dict[str, str]] = (),
    artifact_id: str | None = None,
    client_id: str | None = None,
) -> Node:
    """LinkArtifact: a version of another collection too."""
    found = state.find(artifact_id or client_id or "", Artifact)
    project = state.project(project_name, entity_name)
    portfolio = _sequence(state, project, artifact_portfolio_name, found.sequence.type, "ArtifactPortfolio")
    member = add_version(state, portfolio, found, [alias["alias"] for alias in aliases])
    return Node("LinkArtifactPayload", version_index=member.version, artifact_membership=member)


def add_version(
    state: State, collection: Collection, artifact: Artifact, aliases: Iterable[str]
) -> Membership:
    """Make an artifact a version, where it is none yet, and give it aliases, which others then lose."""
    member = next((one for one in collection.members if one.artifact is artifact), None)
    given = set(aliases)
    if member is None:
        member = state.add(
            "ArtifactCollectionMembership",
            Membership,
            collection=collection,
            artifact=artifact,
            version=collection.next_version,
            created_at=now(),
        )
        collection.next_version += 1
        collection.members.append(member)
        artifact.memberships.append(member)
        given.add("latest")
    for other in collection.members:
        other.aliases -= given
    member.aliases |= given
    return member


def _sequence(
    state: State, project: Project, name: str, type_: str, kind: str = "ArtifactSequence"
) -> Collection:
    if name not in project.collections:
        project.collections[name] = state.add(
            kind, Collection, project=project, name=name, type=type_, kind=kind, created_at=now()
        )
    found = project.collections[name]
    if found.type != type_:
        message = f"{name} holds artifacts of type {found.type}, not {type_}"
        raise Refusal(message)
    return found


def _same_content(sequence: Collection, digest: str) -> Artifact | None:
    return next((one.artifact for one in sequence.members if one.artifact.digest == digest), None)


def _for_collection(member: Membership, aliases: Sequence[dict[str, str]]) -> list[str]:
    return [one["alias"] for one in aliases if one["artifact_collection_name"] == member.collection.name]

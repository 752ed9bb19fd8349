"""What is done to artifacts that are there: used, changed, linked and deleted."""

from __future__ import annotations

from collections.abc import Sequence

from wandb_server.artifact_versions import add_version, collection_for
from wandb_server.graphql import Node, mutation
from wandb_server.records import Artifact, Collection, Membership
from wandb_server.state import Refusal, State


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
    portfolio = collection_for(
        state, project, artifact_portfolio_name, found.sequence.type, "ArtifactPortfolio"
    )
    member = add_version(state, portfolio, found, [alias["alias"] for alias in aliases])
    return Node("LinkArtifactPayload", version_index=member.version, artifact_membership=member)


def _for_collection(member: Membership, aliases: Sequence[dict[str, str]]) -> list[str]:
    return [one["alias"] for one in aliases if one["artifact_collection_name"] == member.collection.name]

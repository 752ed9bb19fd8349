"""How an artifact becomes a version of a collection."""

from __future__ import annotations

from collections.abc import Iterable

from wandb_server.records import Artifact, Collection, Membership, Project
from wandb_server.state import Refusal, State, now


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


def collection_for(
    state: State, project: Project, name: str, type_: str, kind: str = "ArtifactSequence"
) -> Collection:
    """Return a collection, made where it is new.

    Raises:
        Refusal: it holds artifacts of another type.
    """
    if name not in project.collections:
        project.collections[name] = state.add(
            kind, Collection, project=project, name=name, type=type_, kind=kind, created_at=now()
        )
    found = project.collections[name]
    if found.type != type_:
        message = f"{name} holds artifacts of type {found.type}, not {type_}"
        raise Refusal(message)
    return found

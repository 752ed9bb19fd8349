"""Collections of artifacts and their types: what is asked of them, and how a version is found."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from wandb_server.connection import connection
from wandb_server.filters import dig, select
from wandb_server.graphql import Node, query, show
from wandb_server.records import Artifact, Collection, Membership, Project
from wandb_server.state import State, global_id


@show.register(Collection)
def show_collection(collection: Collection, state: State) -> Node:
    """ArtifactCollectionFragment, and the versions."""
    return Node(
        collection.kind,
        "ArtifactCollection",
        id=collection.id,
        name=collection.name,
        project=collection.project,
        description=collection.description,
        created_at=collection.created_at,
        updated_at=collection.created_at,
        state="READY",
        default_artifact_type=show_type(collection.project, state, collection.type),
        digest_algorithm="MANIFEST_MD5",
        tags=connection([]),
        aliases=lambda first=None, after=None: connection(
            [alias for member in collection.members for alias in aliases_of(member)], first, after
        ),
        latest_artifact=collection.members[-1].artifact if collection.members else None,
        artifacts=partial(_versions, collection, state),
        artifact_membership=lambda alias_name: member_called(collection, alias_name),
    )


@query
def artifact_collection(state: State, id_: str) -> Collection | None:
    """ArtifactCollectionAliases."""
    return state.look_up(id_, Collection)


def artifact_type(project: Project, state: State, name: str) -> Node | None:
    """Return a type, if an artifact has it."""
    known = {collection.type for collection in project.collections.values()}
    return show_type(project, state, name) if name in known else None


def artifact_types(
    project: Project, state: State, first: int | None = None, after: str | None = None
) -> Node:
    """ProjectArtifactTypes: `Api().artifact_types(project)`."""
    known = sorted({collection.type for collection in project.collections.values()})
    return connection([show_type(project, state, name) for name in known], first, after)


def collection_in(project: Project, name: str) -> Collection | None:
    """Return a collection of that name."""
    return project.collections.get(name)


def collections_of(
    project: Project,
    state: State,
    type_: str | None = None,
    first: int | None = None,
    after: str | None = None,
    filters: str | None = None,
    order: str | None = None,
) -> Node:
    """ProjectArtifactCollections, ArtifactTypeArtifactCollections: `Api().artifact_collections(...)`."""
    found = [one for one in project.collections.values() if type_ in {None, one.type}]
    return connection(select(found, partial(_look_at_collection, state), filters, order), first, after)


def membership(project: Project, name: str) -> Membership | None:
    """ArtifactMembershipByName: `Api().artifact("student:best")`, `run.use_artifact("student:v2")`."""
    collection, _, alias = name.partition(":")
    found = project.collections.get(collection)
    return member_called(found, alias or "latest") if found else None


def member_called(collection: Collection, alias: str) -> Membership | None:
    """Return the version with that alias, or with that number: `v2`."""
    for member in collection.members:
        if alias in member.aliases or alias == f"v{member.version}":
            return member
    return None


def version_of(artifact: Artifact) -> int | None:
    """Return an artifact's number in its own sequence; none before it is committed."""
    for member in artifact.memberships:
        if member.collection is artifact.sequence:
            return member.version
    return None


def aliases_of(member: Membership) -> list[Node]:
    """Return the aliases of a version."""
    return [
        Node(
            "ArtifactAlias",
            id=global_id(f"ArtifactAlias:{alias}:{member.id}", 0),
            alias=alias,
            artifact_collection=member.collection,
        )
        for alias in sorted(member.aliases)
    ]


def show_type(project: Project, state: State, name: str) -> Node:
    """Return a type of artifacts, with the collections that have it."""
    return Node(
        "ArtifactType",
        id=global_id(f"ArtifactType:{name}", project.number),
        name=name,
        description="",
        created_at=project.created_at,
        artifact_collections=partial(collections_of, project, state, name),
        artifact_collection=lambda name: collection_in(project, name),
    )


def _versions(
    collection: Collection,
    state: State,
    first: int | None = None,
    after: str | None = None,
    filters: str | None = None,
    order: str | None = None,
) -> Node:
    """ProjectArtifacts: `Api().artifacts(type, name)`, the newest first unless an order is given."""
    newest_first = [member.artifact for member in reversed(collection.members)]
    found = select(newest_first, partial(_look_at_artifact, state), filters, order)
    return connection(found, first, after, edge=lambda one: {"version": f"v{version_of(one)}"})


def _look_at_artifact(state: State, artifact: Artifact, key: str) -> Any:
    """Return what a filter or an order of artifacts calls by that key."""
    if key.startswith("metadata."):
        return dig(json.loads(artifact.metadata or "{}"), key.removeprefix("metadata."))
    values = {
        "state": artifact.state,
        "createdAt": artifact.created_at,
        "created_at": artifact.created_at,
        "versionIndex": version_of(artifact),
        "alias": sorted(alias for member in artifact.memberships for alias in member.aliases),
        "tags": sorted(artifact.tags),
    }
    return _noted(state, values, key)


def _look_at_collection(state: State, collection: Collection, key: str) -> Any:
    created = collection.created_at
    return _noted(state, {"name": collection.name, "createdAt": created, "created_at": created}, key)


def _noted(state: State, values: dict[str, Any], key: str) -> Any:
    if key not in values:
        state.unknown.add(f"filter or order of artifacts: {key}")
    return values.get(key)

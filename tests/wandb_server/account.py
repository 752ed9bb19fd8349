"""Who is logged in, and what the server can do."""

from __future__ import annotations

from wandb_server.connection import connection
from wandb_server.graphql import Node, query
from wandb_server.state import State, global_id

FEATURES = (
    "ARTIFACT_COLLECTIONS_FILTERING_SORTING",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
    "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE",
    "ARTIFACT_TAGS",
    "CLIENT_IDS",
    "FILESTREAM_GZIP",
    "LARGE_FILENAMES",
    "MARK_RUN_FILES_UPLOADED",
    "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "STRUCTURED_CONSOLE_LOGS",
    "SWEEPS_QUERY_FILTERING",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
)


@query
def viewer(state: State) -> Node:
    """Viewer, GetViewer, GetDefaultEntity: who the key belongs to. `wandb.init` and `wandb.login` ask first."""
    return user(state)


@query
def entity(state: State, name: str) -> Node:
    """FetchOrgInfoFromEntity, XXHashDigestsEnabled and others: a user or a team."""
    return show_entity(name)


@query
def organization(state: State, name: str) -> None:
    """OrgFeatureFlags: there are no organisations here."""


@query
def server_info(state: State) -> Node:
    """ServerFeaturesQuery: which of its newer requests the SDK may make."""
    return Node("ServerInfo", features=[Node("Feature", name=name, is_enabled=True) for name in FEATURES])


def user(state: State) -> Node:
    """Return the one user that there is."""
    return Node(
        "User",
        id=global_id("User", 1),
        name=state.entity,
        username=state.entity,
        entity=state.entity,
        email="",
        photo_url=None,
        admin=False,
        flags="{}",
        deleted_at=None,
        api_keys=connection([]),
        teams=connection([show_entity(state.entity)]),
    )


def show_entity(name: str) -> Node:
    """Return a user or a team."""
    return Node(
        "Entity",
        id=global_id("Entity", 1),
        name=name,
        organization=None,
        user=None,
        is_team=False,
        xxhash_digests_enabled=False,
    )

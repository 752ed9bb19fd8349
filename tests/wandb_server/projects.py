"""Projects, and what is found in them."""

from __future__ import annotations

from functools import partial

from wandb_server.account import show_entity, user
from wandb_server.artifact_collections import (
    artifact_type,
    artifact_types,
    collection_in,
    collections_of,
    membership,
)
from wandb_server.connection import connection
from wandb_server.graphql import Node, mutation, query, show
from wandb_server.records import Artifact, Project, Run, Sweep
from wandb_server.runs import select_runs
from wandb_server.state import State, global_id
from wandb_server.sweeps import select_sweeps
from wandb_server.views import select_views


@show.register(Project)
def show_project(project: Project, state: State) -> Node:
    """GetProject and everything that is asked of a project."""
    return Node(
        "Project",
        id=project.id,
        internal_id=global_id("ProjectInternalId", project.number),
        name=project.name,
        entity_name=project.entity,
        entity=show_entity(project.entity),
        user=user(state),
        created_at=project.created_at,
        description=project.description,
        access="PRIVATE",
        views="{}",
        is_benchmark=False,
        read_only=False,
        run=partial(_run, project),
        bucket=partial(_run, project),
        runs=lambda first=None, after=None, filters=None, order=None: connection(
            select_runs(project, state, filters, order), first, after
        ),
        run_count=lambda filters=None: len(select_runs(project, state, filters)),
        sweep=partial(_sweep, project),
        sweeps=partial(_sweeps, project),
        total_sweeps=len(project.sweeps),
        artifact=partial(_artifact, project),
        artifact_type=partial(artifact_type, project, state),
        artifact_types=partial(artifact_types, project, state),
        artifact_collection=partial(collection_in, project),
        artifact_collections=partial(collections_of, project, state),
        artifact_collection_membership=partial(membership, project),
        all_views=partial(select_views, project),
    )


@query
def project(state: State, name: str | None = None, entity_name: str | None = None) -> Project | None:
    """Most queries start here."""
    return state.projects.get((entity_name or state.entity, name or ""))


@query
def model(state: State, name: str | None = None, entity_name: str | None = None) -> Project | None:
    """RunResumeStatus: a project by its old name."""
    return project(state, name, entity_name)


@query
def models(
    state: State, entity_name: str | None = None, first: int | None = None, after: str | None = None
) -> Node:
    """GetProjects: `Api().projects()`."""
    wanted = entity_name or state.entity
    return connection([one for one in state.projects.values() if one.entity == wanted], first, after)


@mutation
def upsert_model(
    state: State, name: str, entity_name: str | None = None, description: str | None = None
) -> Node:
    """CreateProject: `Api().create_project()`."""
    inserted = (entity_name or state.entity, name) not in state.projects
    made = state.project(name, entity_name)
    made.description = description or made.description
    return Node("UpsertModelPayload", project=made, model=made, inserted=inserted)


def _run(project: Project, name: str, missing_ok: bool = False) -> Run | None:
    return project.runs.get(name)


def _sweep(project: Project, sweep_name: str) -> Sweep | None:
    return project.sweeps.get(sweep_name)


def _sweeps(
    project: Project, filters: str | None = None, first: int | None = None, after: str | None = None
) -> Node:
    return connection(select_sweeps(project, filters), first, after)


def _artifact(project: Project, name: str) -> Artifact | None:
    found = membership(project, name)
    return found.artifact if found else None

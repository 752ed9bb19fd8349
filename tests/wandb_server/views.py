"""Saved workspaces and reports, as the package wandb-workspaces makes them."""

from __future__ import annotations

from wandb_server.account import user
from wandb_server.connection import connection
from wandb_server.graphql import Node, mutation, query, show
from wandb_server.records import Project, View
from wandb_server.state import State, now


@show.register(View)
def show_view(view: View, state: State) -> Node:
    """SpecificReport, View: what is loaded again."""
    return Node(
        "View",
        id=view.id,
        project=view.project,
        name=view.name,
        display_name=view.display_name,
        description=view.description,
        type=view.type,
        spec=view.spec,
        created_at=view.created_at,
        updated_at=view.updated_at,
        user=user(state),
        access_tokens=[],
    )


@query
def view(state: State, id_: str) -> View | None:
    """SpecificReport: `Report.from_url(...)`."""
    return state.look_up(id_, View)


@mutation
def upsert_view(
    state: State,
    id_: str | None = None,
    entity_name: str | None = None,
    project_name: str | None = None,
    name: str | None = None,
    display_name: str | None = None,
    description: str | None = None,
    type_: str | None = None,
    spec: str | None = None,
    created_using: str | None = None,
) -> Node:
    """UpsertView, UpsertView2: `report.save()`, `workspace.save()`."""
    found = state.look_up(id_, View)
    saved = found or _made(state, state.project(project_name, entity_name))
    changes = {
        "name": name,
        "display_name": display_name,
        "description": description,
        "type": type_,
        "spec": spec,
        "updated_at": now(),
    }
    for key, value in changes.items():
        if value is not None:
            setattr(saved, key, value)
    return Node("UpsertViewPayload", view=saved, inserted=found is None)


@mutation
def delete_view(state: State, id_: str, delete_drafts: bool = False) -> Node:
    """DeleteView: `report.delete()`."""
    found = state.find(id_, View)
    found.project.views.remove(found)
    state.forget(id_)
    return Node("DeleteViewPayload", success=True, pending_drafts=[])


def select_views(
    project: Project,
    view_type: str = "runs",
    view_name: str | None = None,
    user_name: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Node:
    """View: `Workspace.from_url(...)` finds a view by its name. ProjectViews: `Api().reports(...)` lists them."""
    found = [one for one in project.views if one.type == view_type and view_name in {None, one.name}]
    return connection(found, first, after)


def _made(state: State, project: Project) -> View:
    made = state.add("View", View, project=project, created_at=now(), updated_at=now())
    project.views.append(made)
    return made

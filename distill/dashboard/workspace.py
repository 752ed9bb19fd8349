"""An experiment's workspace: its runs on the left, its panels on the right."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from distill.dashboard import panels
from distill.dashboard.facts import Facts
from distill.dashboard.sdk import load
from distill.fingerprint import fingerprint


def save_workspace(facts: Facts) -> str:
    """Save the workspace, new or in the place of an earlier one, and return its address.

    Sections that somebody has added to an earlier one stay, after ours.
    """
    workspaces, reports = load()
    workspace = _found_or_new(workspaces, facts)
    ours = _sections(workspaces, reports, facts)
    names = {section.name for section in ours}
    workspace.name = f"distill {facts.experiment}"
    workspace.sections = [*ours, *(section for section in workspace.sections if section.name not in names)]
    workspace.runset_settings = workspaces.RunsetSettings(
        filters=panels.runs_of(facts),
        groupby=[workspaces.Config(name) for name in panels.GROUPS],
        order=[workspaces.Ordering(workspaces.Summary(panels.CONTRIBUTION), ascending=False)],
        pinned_columns=panels.columns(facts),
    )
    return str(workspace.save().url)


def _found_or_new(workspaces: ModuleType, facts: Facts) -> Any:
    """Return the workspace that an earlier call has saved: its id follows from the experiment's name."""
    id_ = fingerprint({"experiment": facts.experiment})[:11]
    workspace = workspaces.Workspace(entity=facts.entity, project=facts.project)
    workspace._internal_name = f"nw-{id_}-v"  # noqa: SLF001 - what its `url` asks for where none was saved yet
    try:
        return workspaces.Workspace.from_url(workspace.url)
    except ValueError as error:
        if f"Workspace `{id_}` not found" not in str(error):
            raise
        return workspace


def _sections(workspaces: ModuleType, reports: ModuleType, facts: Facts) -> list[Any]:
    shown = {
        "Frontier": [panels.scatter(reports, facts), *panels.pictures(reports)],
        "Per label": panels.per_label(reports, facts),
        "Curves by student": panels.curves(reports, facts),
    }
    return [workspaces.Section(name=name, panels=found, is_open=True) for name, found in shown.items()]

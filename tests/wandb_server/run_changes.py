"""What is done to runs: made, resumed, changed, stopped and deleted."""

from __future__ import annotations

import json
import secrets
import shutil
import string
import time
from typing import Any

from wandb_server.files import path_of, run_folder, show_file
from wandb_server.graphql import Node, mutation
from wandb_server.records import Project, Run
from wandb_server.runs import make_run
from wandb_server.state import State


@mutation
def upsert_bucket(
    state: State,
    id_: str | None = None,
    name: str | None = None,
    model_name: str | None = None,
    entity_name: str | None = None,
    config: str | None = None,
    summary_metrics: str | None = None,
    sweep: str | None = None,
    display_name: str | None = None,
    group_name: str | None = None,
    job_type: str | None = None,
    job_program: str | None = None,
    job_repo: str | None = None,
    notes: str | None = None,
    description: str | None = None,
    commit: str | None = None,
    host: str | None = None,
    state_: str | None = None,
    debug: bool = False,
    tags: list[str] | None = None,
) -> Node:
    """UpsertBucket: `wandb.init` makes a run or goes on with one, `run.config` and `Api().run()` change one."""
    found, inserted = _found_or_made(state, id_, name, model_name, entity_name)
    changes = {
        "config": json.loads(config) if config else None,
        "summary": summary_metrics,
        "sweep": found.project.sweeps.get(sweep or ""),
        "display_name": display_name,
        "group": group_name,
        "job_type": job_type,
        "program": job_program,
        "notes": notes,
        "description": description,
        "commit": commit,
        "host": host,
        "tags": tags,
        "state": state_,
    }
    _change(found, changes)
    return Node("UpsertBucketPayload", bucket=found, inserted=inserted)


@mutation
def delete_run(state: State, id_: str, delete_artifacts: bool = False) -> Node:
    """DeleteRun: `run.delete()`. Its artifacts stay, unless they are to be deleted too."""
    run = state.find(id_, Run)
    for artifact in run.logged if delete_artifacts else []:
        for membership in artifact.memberships:
            membership.collection.members.remove(membership)
        artifact.state = "DELETED"
    del run.project.runs[run.name]
    shutil.rmtree(path_of(state, run_folder(run)), ignore_errors=True)
    state.forget(id_)
    return Node("DeleteRunPayload", client_mutation_id=None)


@mutation
def stop_run(state: State, id_: str) -> Node:
    """StopRun: the run is told by its next answer of the file stream."""
    state.find(id_, Run).stopped = True
    return Node("StopRunPayload", success=True)


@mutation
def update_run_state(state: State, id_: str, state_: str) -> Node:
    """UpdateRunState: `run.update_state("pending")`."""
    state.find(id_, Run).state = state_
    return Node("UpdateRunStatePayload", success=True)


@mutation
def create_run_files(
    state: State, run_name: str, project_name: str, files: list[str], entity_name: str | None = None
) -> Node:
    """CreateRunFiles: where may these files of the run be uploaded to?"""
    run = state.run(entity_name or state.entity, project_name, run_name)
    shown = [show_file(state, name, f"{run_folder(run)}/{name}") for name in files]
    return Node("CreateRunFilesPayload", run_id=run.id, upload_headers=[], files=shown)


@mutation
def mark_run_files_uploaded(
    state: State, run_name: str, project_name: str, files: list[str], entity_name: str | None = None
) -> Node:
    """MarkRunFilesUploaded: here they are known as soon as their bytes have come."""
    return Node("MarkRunFilesUploadedPayload", success=True)


@mutation
def notify_scriptable_run_alert(
    state: State,
    run_name: str,
    project_name: str,
    title: str,
    text: str,
    severity: str = "INFO",
    entity_name: str | None = None,
    wait_duration: int | None = None,
) -> Node:
    """NotifyScriptableRunAlert: `run.alert()`."""
    state.alerts.append({"run": run_name, "title": title, "text": text, "severity": severity})
    return Node("NotifyScriptableRunAlertPayload", success=True)


def random_name() -> str:
    """Return a name as wandb gives them to runs and sweeps."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))


def _found_or_made(
    state: State, identity: str | None, name: str | None, project: str | None, entity: str | None
) -> tuple[Run, bool]:
    """Return the run, and whether it was made. One that is called by its name is about to be written."""
    if identity:
        return state.find(identity, Run), False
    place: Project = state.project(project, entity)
    name = name or random_name()
    inserted = name not in place.runs
    run = make_run(state, place, name) if inserted else place.runs[name]
    run.state, run.exit_code, run.seen = "running", None, time.monotonic()
    return run, inserted


def _change(run: Run, changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if value is not None:
            setattr(run, name, value)

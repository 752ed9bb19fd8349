"""Runs: what is asked of them, and what is done to them."""

from __future__ import annotations

import json
import time
from fnmatch import fnmatch
from functools import partial
from typing import Any

from wandb_server.account import user
from wandb_server.connection import connection
from wandb_server.files import path_of, run_folder, show_file
from wandb_server.filters import dig, select
from wandb_server.graphql import Node, show
from wandb_server.history import history_keys, history_page, parquet_history, sampled_history, thinned
from wandb_server.records import Artifact, Project, Run
from wandb_server.state import State, now

SUMMARY = ("summary_metrics.", "summaryMetrics.", "summary.")


@show.register(Run)
def show_run(run: Run, state: State) -> Node:
    """Return what is asked of a run: RunFragment, RunResumeStatus, RunFiles and others."""
    found = state.state_of(run)
    return Node(
        "Run",
        id=run.id,
        project_id=str(run.project.number),
        project=run.project,
        user=user(state),
        name=run.name,
        display_name=run.display_name,
        state=found,
        running=found == "running",
        failed=found == "failed",
        exitcode=run.exit_code,
        stopped=run.stopped,
        should_stop=run.stopped,
        read_only=False,
        config=json.dumps(run.config),
        wandb_config=partial(_internal_config, run),
        summary_metrics=run.summary,
        system_metrics=run.events[-1] if run.events else "{}",
        tags=run.tags,
        group=run.group,
        job_type=run.job_type,
        notes=run.notes,
        description=run.description,
        commit=run.commit,
        sweep_name=run.sweep.name if run.sweep else None,
        created_at=run.created_at,
        heartbeat_at=run.heartbeat_at,
        history=partial(history_page, run),
        history_keys=partial(history_keys, run),
        history_tail=json.dumps(run.history[-1:]),
        history_line_count=len(run.history),
        sampled_history=partial(sampled_history, run),
        parquet_history=partial(parquet_history, run),
        events=lambda samples=None: thinned(run.events, samples),
        events_tail=json.dumps(run.events[-1:]),
        events_line_count=len(run.events),
        log_lines=partial(_log_lines, run),
        log_line_count=len(run.console),
        files=partial(_files, run, state),
        file_count=lambda: len(_file_names(run, state)),
        output_artifacts=partial(_artifacts, run.logged),
        input_artifacts=partial(_artifacts, run.used),
    )


def select_runs(project: Project, state: State, filters: str | None, order: str | None = None) -> list[Run]:
    """Return the runs of a project that match. `Api().runs(filters=..., order=...)`."""
    return select(project.runs.values(), partial(_look, state), filters, order)


def make_run(state: State, project: Project, name: str, /, **fields: Any) -> Run:
    """Add a run to a project."""
    run = state.add(
        "Run",
        Run,
        project=project,
        name=name,
        created_at=now(),
        heartbeat_at=now(),
        seen=time.monotonic(),
        display_name=name,
        **fields,
    )
    project.runs[name] = run
    return run


def _look(state: State, run: Run, key: str) -> Any:
    """Return what a filter or an order calls by that key."""
    if key.startswith("config."):
        return _config_value(run, key.removeprefix("config."))
    for start in SUMMARY:
        if key.startswith(start):
            return dig(json.loads(run.summary), key.removeprefix(start))
    values = {
        "name": run.name,
        "displayName": run.display_name,
        "display_name": run.display_name,
        "state": state.state_of(run),
        "tags": run.tags,
        "group": run.group,
        "jobType": run.job_type,
        "host": run.host,
        "username": state.entity,
        "sweep": run.sweep.name if run.sweep else None,
        "createdAt": run.created_at,
        "created_at": run.created_at,
        "heartbeatAt": run.heartbeat_at,
        "heartbeat_at": run.heartbeat_at,
    }
    if key not in values:
        state.unknown.add(f"filter or order of runs: {key}")
    return values.get(key)


def _config_value(run: Run, key: str) -> Any:
    """Return a configured value; `seed.value`, as orders have it, is the same as `seed`."""
    values = {
        name: entry.get("value") if isinstance(entry, dict) else entry for name, entry in run.config.items()
    }
    found = dig(values, key)
    return dig(values, key.removesuffix(".value")) if found is None else found


def _internal_config(run: Run, keys: list[str] | None = None) -> str:
    values = (run.config.get("_wandb") or {}).get("value") or {}
    return json.dumps({key: value for key, value in values.items() if not keys or key in keys})


def _file_names(run: Run, state: State) -> list[str]:
    folder = path_of(state, run_folder(run))
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _files(
    run: Run,
    state: State,
    names: list[str] | None = None,
    pattern: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Node:
    """RunFiles: `run.files()` and `run.file(name)`; a pattern is as SQL's LIKE has it."""
    wanted = (pattern or "%").replace("%", "*").replace("_", "?")
    found = names or [name for name in _file_names(run, state) if fnmatch(name, wanted)]
    shown = [show_file(state, name, f"{run_folder(run)}/{name}") for name in found]
    return connection(shown, first, after)


def _artifacts(artifacts: list[Artifact], first: int | None = None, after: str | None = None) -> Node:
    """RunInputArtifacts, RunOutputArtifacts."""
    return connection([artifact for artifact in artifacts if artifact.state == "COMMITTED"], first, after)


def _log_lines(
    run: Run,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    use_improved_pagination: bool = False,
) -> Node:
    """RunConsoleLogPage, RunConsoleLogTail: `run.console_logs()`."""
    lines = [_log_line(number, line) for number, line in enumerate(run.console)]
    return connection(lines[-last:] if last else lines, first, after)


def _log_line(number: int, line: str) -> Node:
    """Return a line as wandb-core sent it: JSON, or `level timestamp text`."""
    try:
        content = json.loads(line)
    except ValueError:
        content = {"content": line}
    return Node(
        "LogLine",
        number=number,
        line=content.get("content", ""),
        timestamp=content.get("ts", ""),
        level=content.get("level", "info"),
        label=content.get("label", ""),
    )

"""Sweeps, and the agents that take their runs."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import yaml

from wandb_server.connection import connection
from wandb_server.filters import select
from wandb_server.graphql import Node, mutation, show
from wandb_server.records import Agent, Project, Run, Sweep
from wandb_server.run_changes import random_name
from wandb_server.runs import make_run
from wandb_server.search import settings_of
from wandb_server.state import State, now


@show.register(Sweep)
def show_sweep(sweep: Sweep, state: State) -> Node:
    """SweepFragment, SweepWithRuns: `Api().sweep(...)`."""
    return Node(
        "Sweep",
        id=sweep.id,
        name=sweep.name,
        display_name=sweep.display_name,
        project=sweep.project,
        method=sweep.method,
        state=sweep.state,
        description=sweep.description,
        config=sweep.config,
        created_at=sweep.created_at,
        updated_at=sweep.created_at,
        heartbeat_at=sweep.created_at,
        best_loss=None,
        controller=None,
        scheduler=None,
        early_stop_job_running=False,
        run_count=len(runs_of(sweep)),
        run_count_expected=sweep.run_cap,
        runs=lambda first=None, after=None: connection(runs_of(sweep), first, after),
        agents=lambda: connection(sweep.agents),
        agent=lambda agent_name: next(
            (one for one in sweep.agents if agent_name in {one.id, one.name}), None
        ),
    )


@show.register(Agent)
def show_agent(agent: Agent, state: State) -> Node:
    """AgentFragment: `sweep.agents()`."""
    return Node(
        "Agent",
        id=agent.id,
        name=agent.name,
        host=agent.host,
        state="RUNNING",
        total_runs=len(agent.runs),
        created_at=agent.created_at,
        heartbeat_at=agent.created_at,
        runs=partial(_agent_runs, agent),
    )


@mutation
def upsert_sweep(
    state: State,
    id_: str | None = None,
    config: str | None = None,
    description: str | None = None,
    entity_name: str | None = None,
    project_name: str | None = None,
    state_: str | None = None,
    display_name: str | None = None,
    template_variable_values: str = "null",
) -> Node:
    """UpsertSweep: `wandb.sweep(config)` makes one; `wandb sweep --stop` and its like change its state."""
    sweep = state.look_up(id_, Sweep) or _made(state, state.project(project_name, entity_name), config or "")
    sweep.state = state_ or sweep.state
    sweep.description = description or sweep.description
    sweep.display_name = display_name or sweep.display_name
    if template_variable_values != "null":
        state.unknown.add("UpsertSweep with template variables")
    return Node("UpsertSweepPayload", sweep=sweep, config_validation_warnings=[])


@mutation
def create_agent(
    state: State,
    host: str,
    sweep: str,
    project_name: str | None = None,
    entity_name: str | None = None,
) -> Node:
    """CreateAgent: `wandb.agent` and `wandb agent` begin."""
    found = state.project(project_name, entity_name).sweeps[sweep]
    agent = state.add("Agent", Agent, name=random_name(), sweep=found, host=host, created_at=now())
    found.agents.append(agent)
    found.state = "RUNNING"
    return Node("CreateAgentPayload", agent=agent)


@mutation
def agent_heartbeat(state: State, id_: str, metrics: str = "{}", run_state: str = "{}") -> Node:
    """Heartbeat: what an agent should do next; `run_state` names the runs that it has at work."""
    agent = state.find(id_, Agent)
    at_work = [name for name, runs in json.loads(run_state).items() if runs]
    commands = _commands(state, agent, at_work)
    return Node("AgentHeartbeatPayload", agent=agent, commands=json.dumps(commands))


def runs_of(sweep: Sweep) -> list[Run]:
    """Return the runs of a sweep, those that have not begun too."""
    return [run for run in sweep.project.runs.values() if run.sweep is sweep]


def select_sweeps(project: Project, filters: str | None) -> list[Sweep]:
    """Return the sweeps of a project that match."""
    return select(project.sweeps.values(), lambda sweep, key: getattr(sweep, key, None), filters, None)


def _made(state: State, project: Project, config: str) -> Sweep:
    content = yaml.safe_load(config)
    sweep = state.add(
        "Sweep",
        Sweep,
        project=project,
        name=random_name(),
        config=config,
        created_at=now(),
        method=content.get("method", ""),
        program=content.get("program", ""),
        run_cap=content.get("run_cap"),
        queue=settings_of(content, seed=len(project.sweeps)),
        display_name=content.get("name"),
    )
    project.sweeps[sweep.name] = sweep
    return sweep


def _commands(state: State, agent: Agent, at_work: list[str]) -> list[dict[str, Any]]:
    sweep = agent.sweep
    for run in agent.runs:
        if run.state == "pending" and run.name not in at_work:
            run.state = "failed"  # its process ended before it said anything
    if sweep.state in {"FINISHED", "CANCELED"}:
        return [{"type": "stop", "run_id": name} for name in at_work] or [{"type": "exit"}]
    if at_work or sweep.state == "PAUSED":
        return []
    full = sweep.run_cap is not None and len(runs_of(sweep)) >= sweep.run_cap
    settings = None if full else next(sweep.queue, None)
    if settings is None:
        if all(run.state not in {"pending", "running"} for run in runs_of(sweep)):
            sweep.state = "FINISHED"
        return [{"type": "exit"}]
    config = {name: {"value": value} for name, value in settings.items()}
    run = make_run(state, sweep.project, random_name(), sweep=sweep, state="pending", config=config)
    agent.runs.append(run)
    return [{"type": "run", "run_id": run.name, "args": config, "program": sweep.program, "logs": []}]


def _agent_runs(
    agent: Agent, first: int | None = None, after: str | None = None, order: str | None = None
) -> Node:
    return connection(agent.runs, first, after)

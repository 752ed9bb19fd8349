"""What the server remembers. Names are wandb's, but for `name`, which is what the SDK calls the id of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Project:
    """A project of an entity."""

    id: str
    number: int
    entity: str
    name: str
    created_at: str
    description: str = ""
    runs: dict[str, Run] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    views: list[View] = field(default_factory=list)


@dataclass(eq=False)
class Run:
    """A run. Its state is what it last said; whether it has crashed is told by its last sign of life."""

    id: str
    project: Project
    name: str
    created_at: str
    heartbeat_at: str
    seen: float
    display_name: str
    state: str = "running"
    config: dict[str, Any] = field(default_factory=dict)
    summary: str = "{}"
    tags: list[str] = field(default_factory=list)
    group: str | None = None
    job_type: str | None = None
    notes: str | None = None
    description: str | None = None
    host: str | None = None
    program: str | None = None
    commit: str | None = None
    sweep: Sweep | None = None
    history: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    exit_code: int | None = None
    stopped: bool = False
    logged: list[Artifact] = field(default_factory=list)
    used: list[Artifact] = field(default_factory=list)


@dataclass(eq=False)
class Collection:
    """A named series of artifact versions: a sequence, or a portfolio that others are linked into."""

    id: str
    project: Project
    name: str
    type: str
    kind: str
    created_at: str
    description: str | None = None
    members: list[Membership] = field(default_factory=list)
    next_version: int = 0


@dataclass(eq=False)
class Membership:
    """An artifact as a version of a collection."""

    id: str
    collection: Collection
    artifact: Artifact
    version: int
    created_at: str
    aliases: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Artifact:
    """What a run has logged: pending until it is committed."""

    id: str
    number: int
    sequence: Collection
    digest: str
    created_at: str
    metadata: str | None
    description: str | None
    created_by: Run | None
    history_step: int | None = None
    base: Artifact | None = None
    """What an incremental artifact adds to."""
    wanted_aliases: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    state: str = "PENDING"
    memberships: list[Membership] = field(default_factory=list)
    used_by: list[Run] = field(default_factory=list)


@dataclass(eq=False)
class Sweep:
    """A sweep, with the settings that it has still to hand out."""

    id: str
    project: Project
    name: str
    config: str
    created_at: str
    method: str
    program: str
    run_cap: int | None
    queue: Iterator[dict[str, Any]]
    display_name: str | None = None
    description: str | None = None
    state: str = "PENDING"
    agents: list[Agent] = field(default_factory=list)


@dataclass(eq=False)
class Agent:
    """A process somewhere that takes runs of a sweep."""

    id: str
    name: str
    sweep: Sweep
    host: str
    created_at: str
    runs: list[Run] = field(default_factory=list)


@dataclass(eq=False)
class View:
    """A saved workspace or report."""

    id: str
    project: Project
    created_at: str
    updated_at: str
    name: str = ""
    display_name: str = ""
    description: str = ""
    type: str = ""
    spec: str = "{}"

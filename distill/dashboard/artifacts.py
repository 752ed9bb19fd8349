"""Finds artifacts on the server: one by its name, or all students that an experiment has published."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distill.dashboard.choosing import NUMBERS, Candidate
from distill.dashboard.connection import Connection, NotThereError
from distill.dashboard.machines import describe_machine
from distill.errors import ConfigError, TrackingError, did_you_mean

if TYPE_CHECKING:
    from typing import TypeAlias

    import wandb

    ServerArtifact: TypeAlias = wandb.Artifact

PROJECT = "distill"
"""The project of an experiment that names none."""
BEST = "best"
STUDENT = "student"
KINDS = (STUDENT, "teacher", "soft-targets", "dataset")
"""The types of what distill publishes."""


@dataclass(frozen=True)
class Reference:
    """What a person calls by `ENTITY/PROJECT/NAME:ALIAS`."""

    entity: str | None
    project: str
    name: str
    alias: str = BEST

    def place(self, connection: Connection) -> str:
        """Return `entity/project`."""
        return f"{self.entity or connection.entity}/{self.project}"


@dataclass(frozen=True)
class Published:
    """A version of a student on the server."""

    candidate: Candidate
    artifact: ServerArtifact
    data: tuple[Any, Any]
    """Metric and data set: quality is comparable where both are equal."""


def parse_reference(text: str) -> Reference:
    """Read `[[ENTITY/]PROJECT/]NAME[:ALIAS]`.

    Raises:
        ConfigError: it is none.
    """
    path, colon, alias = text.partition(":")
    *before, name = path.split("/")
    parts = [*before, name, *([alias] if colon else [])]
    if len(before) > 2 or "/" in alias or not all(part.strip() for part in parts):
        raise ConfigError(f"{text!r}: expected [[ENTITY/]PROJECT/]NAME[:ALIAS]")
    project = before[-1] if before else PROJECT
    return Reference(before[0] if len(before) == 2 else None, project, name, alias or BEST)


def parse_project(text: str) -> Reference:
    """Read `[ENTITY/]PROJECT`; the name stays empty.

    Raises:
        ConfigError: it is none.
    """
    parts = text.split("/")
    if len(parts) > 2 or not all(part.strip() for part in parts):
        raise ConfigError(f"{text!r}: no such file, and no [ENTITY/]PROJECT in wandb either")
    return Reference(parts[0] if len(parts) == 2 else None, parts[-1], "")


def find_artifact(connection: Connection, reference: Reference) -> ServerArtifact:
    """Return the artifact of that name.

    Raises:
        TrackingError: there is none (what there is, is named), or it is nothing that distill has published.
    """
    place = reference.place(connection)
    path = f"{place}/{reference.name}:{reference.alias}"
    try:
        found: ServerArtifact = connection.ask(path, lambda: connection.api.artifact(path))
    except NotThereError as error:
        raise NotThereError(_what_is_there(connection, reference)) from error
    if found.type not in KINDS:
        raise TrackingError(
            f"{path}: is of type '{found.type}'; what distill publishes is {', '.join(KINDS)}"
        )
    return found


def published_students(connection: Connection, experiment: Reference) -> tuple[list[Published], int]:
    """Return all versions of an experiment's students, and how many were left out.

    Those of other data than the newest one's are: their quality says something else.

    Raises:
        TrackingError: there is none.
    """
    place = experiment.place(connection)
    # a student's artifact is called after its experiment; only its metadata tells `quick` from `quick-start`
    everything = _all_students(connection, place, f"{experiment.name}-")
    found = [one for one in everything if one.metadata.get("experiment") == experiment.name]
    if not found:
        raise NotThereError(_which_experiments(connection, experiment))
    students = [_published(artifact) for artifact in sorted(found, key=lambda one: one.created_at)]
    comparable = [one for one in students if one.data == students[-1].data]
    return comparable, len(students) - len(comparable)


def short_name(artifact: ServerArtifact) -> str:
    """Return `name:v3`, by whatever alias it was found."""
    return f"{artifact.name.partition(':')[0]}:{artifact.version}"


def check_project(connection: Connection, place: str) -> None:
    """Check that the server has a project.

    Raises:
        NotThereError: it has not; those that there are, are named.
    """
    entity, _, project = place.partition("/")
    found = connection.each(f"projects of {entity}", lambda: connection.api.projects(entity))
    known = sorted(one.name for one in found)
    if project not in known:
        hint = did_you_mean(project, known) or f" (projects: {', '.join(known) or 'none'})"
        raise NotThereError(f"{place}: there is no such project{hint}")


def _all_students(connection: Connection, place: str, start: str = "") -> Iterator[ServerArtifact]:
    for collection in _collections(connection, place, STUDENT):
        if collection.name.startswith(start):
            yield from connection.each(f"{place}/{collection.name}", collection.artifacts)


def _collections(connection: Connection, place: str, kind: str) -> Iterator[Any]:
    try:
        found = connection.each(place, lambda: connection.api.artifact_type(kind, place).collections())
        yield from found
    except NotThereError:
        return  # wandb knows a type only once there is an artifact of it


def _published(artifact: ServerArtifact) -> Published:
    about = artifact.metadata
    machine = about.get("machine")
    test = about.get("test")
    candidate = Candidate(
        artifact=short_name(artifact),
        run=str(about.get("run", "")),
        student=str(about.get("student", "")),
        objective=str(about.get("objective", "")),
        figures={name: about[name] for name in NUMBERS if _is_figure(about.get(name))},
        test=_test_figure(test, about.get("metric")),
        metric=str(about.get("metric", "")),
        machine=describe_machine(machine) if isinstance(machine, Mapping) else None,
    )
    return Published(candidate, artifact, (about.get("metric"), about.get("data")))


def _test_figure(test: object, metric: object) -> float | None:
    found = test.get(metric) if isinstance(test, Mapping) else None
    return found if _is_figure(found) else None


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _what_is_there(connection: Connection, wanted: Reference) -> str:
    """Return which part of a name is wrong, and what would be right."""
    place = wanted.place(connection)
    check_project(connection, place)
    collections = {one.name: one for kind in KINDS for one in _collections(connection, place, kind)}
    if wanted.name not in collections:
        hint = (
            did_you_mean(wanted.name, collections)
            or f" (there are: {', '.join(sorted(collections)) or 'none'})"
        )
        return f"{place}: there is no artifact '{wanted.name}'{hint}"
    name = f"{place}/{wanted.name}"
    aliases = connection.ask(name, lambda: sorted(collections[wanted.name].aliases))
    hint = did_you_mean(wanted.alias, aliases) or f" (there are: {', '.join(aliases)})"
    return f"{name}: there is no version '{wanted.alias}'{hint}"


def _which_experiments(connection: Connection, wanted: Reference) -> str:
    place = wanted.place(connection)
    check_project(connection, place)
    known = sorted({str(one.metadata.get("experiment")) for one in _all_students(connection, place)})
    hint = did_you_mean(wanted.name, known) or f" (experiments: {', '.join(known) or 'none'})"
    return f"{place}: no student of an experiment '{wanted.name}' was published{hint}"

"""Takes away what a round trip has left on the server, however far it came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from distill.errors import TrackingError
from distill.tracking.access import public_api
from distill.tracking.wandb_settings import first_line

if TYPE_CHECKING:
    import wandb


def clean_up(project: str, name: str, runs: Sequence[str]) -> None:
    """Delete artifacts with their collections, and runs; what cannot be deleted does not keep back the rest.

    Args:
        project: where they are.
        name: what the collections of the artifacts begin with.
        runs: the ids of the runs; a table's own artifact has the id of its run in its name.

    Raises:
        TrackingError: something is left; the message says what.
    """
    api = public_api()
    left: list[str] = []

    def attempt(what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - told below, and the rest is deleted all the same
            left.append(f"{what} ({first_line(error)})")

    try:
        there = list(api.runs(project, filters={"name": {"$in": list(runs)}}))
    except ValueError as error:
        if "not find project" not in str(error):
            raise
        return  # no run was ever opened
    ours = (name, *(f"run-{run}-" for run in runs))
    attempt("artifacts", lambda: _delete_artifacts(api, project, ours, attempt))
    for run in there:
        attempt(f"run {run.id}", run.delete)
    if left:
        raise TrackingError(f"left in the project {project}: {'; '.join(left)}")


def _delete_artifacts(
    api: wandb.Api,
    project: str,
    beginnings: tuple[str, ...],
    attempt: Callable[[str, Callable[[], object]], None],
) -> None:
    for kind in api.artifact_types(project):
        for collection in kind.collections():
            if collection.name.startswith(beginnings):
                attempt(f"collection {collection.name}", collection.delete)

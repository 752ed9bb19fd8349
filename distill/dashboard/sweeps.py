"""Sweeps on the server: made, found again, and the best setting of one."""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.dashboard.sweep_settings import METRIC, AgentCommand
from distill.errors import TrackingError, did_you_mean
from distill.tracking.access import owner, public_api, require_access
from distill.tracking.patience import within
from distill.tracking.wandb_settings import environment, first_line, stop_service

PATIENCE_SECONDS = 30.0
"""How long a server may take for one answer, all tries of the SDK together."""
LEFT_BEHIND = ("WANDB_PROJECT", "WANDB_ENTITY")
"""What making a sweep sets for the rest of the process."""


@dataclass(frozen=True)
class Sweep:
    """A sweep on the server."""

    path: str
    """`entity/project/id`."""
    url: str
    command: AgentCommand


@dataclass(frozen=True)
class Best:
    """The best setting of a sweep so far."""

    value: float
    """Its selection metric on validation."""
    metric: str
    """The metric's name."""
    run: str
    """The student that has it, as `textcnn/distilled`."""
    overrides: Mapping[str, Any]
    finished: int
    """How many runs of the sweep have ended with a figure."""
    running: int
    """How many others are at work, on this machine or another one."""


def create_sweep(config: Mapping[str, Any], project: str, entity: str | None, folder: Path) -> Sweep:
    """Make a sweep.

    Args:
        config: the sweep in wandb's words.
        project: where; it is made too if it is not there.
        entity: whose project; None is the user's own.
        folder: where wandb may write.

    Raises:
        TrackingError: no key, no server, or the server refuses.
    """
    import wandb

    with _asking(folder, f"{project}: the sweep could not be made"):
        whose = owner(require_access(), entity)
        made = within(PATIENCE_SECONDS, lambda: wandb.sweep(dict(config), entity=whose, project=project))
        return _sweep(f"{whose}/{project}/{made}")


def find_sweep(name: str, project: str, entity: str | None, folder: Path) -> Sweep:
    """Return a sweep that somebody has made.

    Args:
        name: its id, or `entity/project/id`.
        project: where it is looked for if `name` does not say.
        entity: likewise.
        folder: where wandb may write.

    Raises:
        TrackingError: no key, no server, no such sweep, or one that distill has not made.
    """
    with _asking(folder, f"{name}: the sweep could not be found"):
        api = require_access()
        parts = name.split("/")
        if len(parts) not in {1, 3} or not all(parts):
            raise TrackingError(f"{name}: not a sweep; expected its id or ENTITY/PROJECT/ID")
        place = "/".join(parts[:-1]) or f"{owner(api, entity)}/{project}"
        path = f"{place}/{parts[-1]}"
        known = within(PATIENCE_SECONDS, lambda: _ids_of(api, *place.split("/")))
        if parts[-1] not in known:
            hint = did_you_mean(parts[-1], known) or f" (sweeps: {', '.join(known) or 'none'})"
            raise TrackingError(f"{path}: no such sweep{hint}")
        return within(PATIENCE_SECONDS, lambda: _sweep(path))


def best_of(sweep: Sweep, folder: Path) -> Best | None:
    """Return the best setting of a sweep by validation; None where no run has ended with a figure.

    Raises:
        TrackingError: no key, or no server.
    """
    with _asking(folder, f"{sweep.path}: its runs could not be read"):
        return within(PATIENCE_SECONDS, lambda: _best(sweep))


def _best(sweep: Sweep) -> Best | None:
    api: Any = public_api()  # `sweep` has no types
    place, _, name = sweep.path.rpartition("/")
    paths = list(api.sweep(sweep.path).config["parameters"])
    runs = list(api.runs(place, filters={"sweep": name}, lazy=False))
    found = [run for run in runs if _has_figure(run)]
    best = max(found, key=lambda run: run.summary[METRIC], default=None)
    if best is None:
        return None
    return Best(
        value=best.summary[METRIC],
        metric=best.summary.get("metric", METRIC),
        run=best.summary.get("run", ""),
        overrides={path: best.config[path] for path in paths if path in best.config},
        finished=len(found),
        running=sum(run.state in {"pending", "running"} for run in runs),
    )


def _sweep(path: str) -> Sweep:
    api: Any = public_api()
    found = api.sweep(path)
    return Sweep(path, found.url, AgentCommand.read(found.config.get("command") or [], path))


def _ids_of(api: Any, entity: str, project: str) -> list[str]:
    try:
        return [sweep.id for sweep in api.project(project, entity).sweeps()]
    except ValueError:  # there is no such project
        return []


def _has_figure(run: Any) -> bool:
    value = run.summary.get(METRIC)
    return run.state == "finished" and isinstance(value, int | float) and math.isfinite(value)


@contextmanager
def _asking(folder: Path, what: str) -> Iterator[None]:
    """Ask the server quietly; the SDK prints what it does, and leaves the sweep's project in the environment.

    Raises:
        TrackingError: whatever the SDK has raised, in one line.
    """
    before = {name: os.environ.get(name) for name in LEFT_BEHIND}
    with environment(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # wandb's own, of its own
        try:
            with redirect_stdout(io.StringIO()):
                yield
        except TrackingError:
            raise
        except Exception as error:
            raise TrackingError(f"wandb: {what} ({first_line(error)})") from error
        finally:
            stop_service()
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

"""Chooses the tracker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from distill.contracts import Progress, RunLog, Tracker
from distill.tracking.history import HistoryLog
from distill.tracking.wandb_settings import Mode
from distill.tracking.wandb_tracker import Project, WandbTracker


class HistoryTracker:
    """Writes the history files and sends nothing anywhere."""

    @contextmanager
    def run(self, *, history: Path, **_: Any) -> Iterator[RunLog]:
        """Open the history file of a run; all else would be for a dashboard."""
        with closing(HistoryLog(history)) as log:
            yield log

    def close(self) -> str:
        """Return nothing: there is nothing to tell."""
        return ""


def open_tracker(
    *,
    mode: Mode,
    project: str,
    entity: str | None,
    experiment: str,
    store_root: Path,
    tags: Sequence[str],
    progress: Progress,
) -> Tracker:
    """Return the tracker for an experiment. Nothing is imported or asked of a server before the first run.

    Args:
        mode: `auto` is online where a key is found and offline where not; WANDB_MODE can only take away.
        project: the project in wandb.
        entity: the user or team in wandb; None takes the user's default.
        experiment: groups the runs.
        store_root: the store; everything of wandb lies in its folder `wandb`.
        tags: are put on each run.
        progress: is told, once, when wandb fails. It never stops anything.
    """
    if mode == "disabled":
        return HistoryTracker()
    return WandbTracker(
        Project(project, entity, experiment, tuple(tags)), store_root.absolute() / "wandb", mode, progress
    )

"""Chooses the tracker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from distill.contracts import BoxLog, Progress, Recorded, RunFacts, Tracker
from distill.tracking.access import Mode
from distill.tracking.journal import ending, read_recorded
from distill.tracking.journals import Journals, Project
from distill.tracking.wandb_tracker import WandbTracker


class JournalTracker:
    """Writes the journals and sends nothing anywhere."""

    def __init__(self, project: Project, store_root: Path) -> None:
        self._project, self._journals = project, Journals(store_root)

    @contextmanager
    def run(self, facts: RunFacts, *, live: bool = True) -> Iterator[BoxLog]:  # noqa: ARG002
        """Open the journal of a run."""
        with self._journals.open(self._project, facts) as journal, ending(journal):
            yield journal

    def recorded(self, facts: RunFacts) -> Recorded:
        """Return what is recorded of a run already."""
        return read_recorded(self._journals.path(self._project, facts))

    def close(self) -> str:
        """Return nothing: there is nothing to tell."""
        return ""

    def address(self) -> str:
        """Return nothing: nobody sees the runs."""
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
    place = Project(project, entity, experiment, tuple(tags))
    if mode == "disabled":
        return JournalTracker(place, store_root)
    return WandbTracker(place, store_root.absolute(), mode, progress)

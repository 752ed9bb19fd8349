"""Draws what the server's runs came to, as the frontier stage does for the local store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.contracts import Workbench
from distill.dashboard.comparing import Table
from distill.errors import TrackingError
from distill.stages.frontier import draw
from distill.tracking.delivery import safe_name


class _Nobody:
    """Is told of figures and pictures, and keeps none of them: the server has its own."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Drop values."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """Drop final values."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Drop a table."""

    def picture(self, name: str, path: Path, kept_as: Path | None = None) -> None:
        """Drop a picture."""

    def rewind(self, step: int) -> None:
        """Forget nothing."""

    def stage(self, stage: str, name: str, *, cached: bool) -> None:
        """Say nothing of a step."""

    def advance(self, done: int, total: int, note: str = "") -> None:
        """Say nothing of progress."""

    def note(self, text: str) -> None:
        """Say nothing."""


def draw_tables(tables: Sequence[Table], to: Path) -> list[Path]:
    """Write `frontier.png`, `frontier.html`, `frontier.csv` and the table of each one; return their folders.

    Raises:
        TrackingError: the folder cannot be written.
    """
    folders = [to / safe_name(table.title) for table in tables]
    nobody = _Nobody()
    try:
        for table, folder in zip(tables, folders, strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            draw(
                table.comparison, experiment=table.experiment, bench=Workbench(folder, folder, nobody, nobody)
            )
    except OSError as error:
        raise TrackingError(f"{to}: cannot be written ({error.strerror})") from error
    return folders

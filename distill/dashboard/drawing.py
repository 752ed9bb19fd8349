"""Draws what the server's runs came to, as the frontier stage does for the local store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.contracts import Workbench
from distill.dashboard.comparing import Table
from distill.errors import TrackingError
from distill.progress import Silence
from distill.stages.frontier import draw
from distill.tracking.delivery import safe_name
from distill.tracking.nowhere import Nowhere


def draw_tables(tables: Sequence[Table], to: Path) -> list[Path]:
    """Write `frontier.png`, `frontier.html`, `frontier.csv` and the table of each one; return their folders.

    Raises:
        TrackingError: the folder cannot be written.
    """
    folders = [to / safe_name(table.title) for table in tables]
    try:
        for table, folder in zip(tables, folders, strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            draw(
                table.comparison,
                experiment=table.experiment,
                bench=Workbench(folder, folder, Nowhere(), Silence()),
            )
    except OSError as error:
        raise TrackingError(f"{to}: cannot be written ({error.strerror})") from error
    return folders

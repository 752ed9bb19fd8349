"""Pictures and tables whose row arrived while their file was lost on the way: the file is sent after it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.errors import TrackingError
from distill.tracking.access import public_api
from distill.tracking.journal import ROWS, Line
from distill.tracking.wandb_runs import patiently

if TYPE_CHECKING:
    import wandb


def heal(place: str, run_id: str, journal: Path, lines: Sequence[Line], folder: Path) -> None:
    """Upload the files that rows of a run point to and the server has not got.

    Args:
        place: `entity/project`.
        run_id: the run.
        journal: its journal's file.
        lines: the journal's lines.
        folder: where wandb keeps its files; it holds a copy of each one that it was to send.

    Raises:
        TrackingError: a file is not here either.
        TimeoutError: the server stopped answering.
    """
    patiently(lambda: _heal(place, run_id, journal, lines, folder), _bytes_of(journal, lines))


def _heal(place: str, run_id: str, journal: Path, lines: Sequence[Line], folder: Path) -> None:
    shown = [line for line in lines if line["event"] in ROWS]
    if not any(line["event"] != "metrics" for line in shown):
        return
    run = public_api().run(f"{place}/{run_id}")
    there = {file.name for file in run.files() if file.size}
    for number, name, value in _media(run):
        if value["path"] not in there:
            _upload(
                run,
                value["path"],
                _copy_of(value["path"], run_id, folder) or _original(shown, number, name, journal),
            )


def _bytes_of(journal: Path, lines: Sequence[Line]) -> int:
    """Return how many bytes there are to upload if all pictures and pages of a run were lost."""
    pictures = [journal.parent / line["path"] for line in lines if line["event"] == "picture"]
    return sum(picture.stat().st_size for picture in pictures if picture.is_file())


def _media(run: wandb.apis.public.Run) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield row, name and entry of everything that is shown from a file."""
    for row in run.scan_history():
        for name, value in row.items():
            if isinstance(value, dict) and "path" in value and "_type" in value:
                yield row["_step"], name, value


def _copy_of(name: str, run_id: str, folder: Path) -> Path | None:
    copies = (folder / "wandb").glob(f"*-{run_id}/files/{name}")
    return next((copy for copy in copies if copy.is_file()), None)


def _original(shown: Sequence[Line], number: int, name: str, journal: Path) -> Path:
    line = shown[number] if number < len(shown) else {}
    original = journal.parent / str(line.get("path", ""))
    if line.get("event") != "picture" or not original.is_file():
        raise TrackingError(
            f"{journal}: the file of '{name}' never reached the server and is not here either"
        )
    return original


def _upload(run: wandb.apis.public.Run, name: str, original: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        aside = Path(scratch) / name
        aside.parent.mkdir(parents=True)
        shutil.copyfile(original, aside)
        run.upload_file(str(aside), root=scratch)

"""From a journal's lines to an open wandb run: each row once, each artifact with what it was made from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.errors import TrackingError
from distill.result_files import MANIFEST
from distill.tracking.journal import ROWS, Line

if TYPE_CHECKING:
    import wandb

UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class Delivery:
    """Sends lines to one open run."""

    def __init__(
        self, run: wandb.Run, folder: Path, *, on_published: Callable[[wandb.Artifact], None]
    ) -> None:
        """Wrap a run that was opened with `resume="allow"`.

        Args:
            run: the run; its first step tells how many rows the server has.
            folder: the journal's folder, from which its paths are seen.
            on_published: is told of each artifact once the server has it.
        """
        self.run = run
        self.rows_sent = 0
        self._there = run.starting_step
        self._folder = folder.resolve()
        self._on_published = on_published

    def send(self, line: Line, row: int, at: Path | None = None) -> None:
        """Send a line; a row that the server has already is not sent again.

        Raises:
            TrackingError: rows before it are missing there, or files of an artifact are missing here.
        """
        event = line["event"]
        if event in ROWS and row >= self._there:
            if row > self._there:
                raise TrackingError(f"row {row} would come after a gap: the server has {self._there}")
            self.run.log({**self._content(line, at), "step": max(line["step"], 0)}, step=row)
            self._there += 1
            self.rows_sent += 1
        elif event == "summary":
            self.run.summary.update(line["values"])
        elif event == "artifact":
            self._publish(line)

    def _content(self, line: Line, at: Path | None) -> dict[str, Any]:
        if line["event"] == "metrics":
            return dict(line["values"])
        if line["event"] == "table":
            return {line["name"]: _table(line["columns"], line["rows"])}
        place = at or (self._folder / line["path"]).resolve()
        return {line["name"]: _picture(place)}

    def _publish(self, line: Line) -> None:
        """Upload an artifact and wait for the server to have it: only that tells of an upload that was lost."""
        for name in line["uses"]:
            self.run.use_artifact(name)
        artifact = self._make(line)
        aliases = [*map(safe_name, line["aliases"]), self.run.id]
        logged = self.run.log_artifact(artifact, aliases=aliases)
        logged.wait()
        self._on_published(logged)

    def bytes_of(self, line: Line) -> int:
        """Return how many bytes an artifact's line asks to upload, at most."""
        return sum(path.stat().st_size for path in self._files_of(line))

    def _make(self, line: Line) -> wandb.Artifact:
        import wandb

        metadata = {**line["metadata"], "uses": line["uses"]}
        artifact = wandb.Artifact(safe_name(line["name"]), line["type"], metadata=metadata)
        for path in self._files_of(line):
            name = path.relative_to(self._place_of(line)).as_posix()
            # immutable: read where it lies, in the store, instead of copying every checkpoint once more
            artifact.add_file(str(path), name=name, policy="immutable")
        for name, content in line["documents"].items():
            with artifact.new_file(name, encoding="utf-8") as file:
                json.dump(content, file, ensure_ascii=False, indent=1)
        return artifact

    def _files_of(self, line: Line) -> list[Path]:
        if not line["folder"]:
            return []
        place = self._place_of(line)
        if not place.is_dir():
            raise TrackingError(f"{place}: what was published from there is gone")
        return files_of(place)

    def _place_of(self, line: Line) -> Path:
        return (self._folder / str(line["folder"])).resolve()


def files_of(folder: Path) -> list[Path]:
    """Return the files of a result, but for the store's own manifest."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)


def safe_name(name: str) -> str:
    """Return a name as wandb allows it for artifacts: `textcnn/kd/seed0` becomes `textcnn-kd-seed0`."""
    return UNSAFE.sub("-", name)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> wandb.Table:
    import wandb

    return wandb.Table(columns=list(columns), data=[list(row) for row in rows], allow_mixed_types=True)


def _picture(path: Path) -> wandb.Image | wandb.Html:
    import wandb

    if not path.is_file():  # wandb would take the name for the page itself
        raise TrackingError(f"{path}: the picture is gone")
    return wandb.Html(str(path), inject=False) if path.suffix == ".html" else wandb.Image(str(path))

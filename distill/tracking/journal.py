"""A run's own record: every figure as a line of JSON, on disk before it is sent anywhere.

What is sent to a dashboard, now or later, is read from here. A line of `ROWS` is a row of the dashboard's history: the
n-th one becomes row n, so that how many rows a server has tells which ones it has.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from distill.contracts import Artifact, Recorded
from distill.tracking.redaction import redacted

Line: TypeAlias = "dict[str, Any]"

ROWS = frozenset({"metrics", "table", "picture"})


class Sender(Protocol):
    """Takes each line as it is recorded."""

    def __call__(self, line: Line, row: int, at: Path | None) -> None:
        """Send a line.

        Args:
            line: what was recorded.
            row: the number of the first row that comes with or after this line.
            at: where a picture lies now; its line says where it will lie once its step is done.
        """


class Journal:
    """Appends to the journal of a run that starts, or that goes on.

    A run that goes on says so with `rewind` or `go_on` before it records anything. One that does not starts anew,
    and what a killed try has left in the file is dropped. Either way nothing is recorded twice.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        """Open a journal, making it where there is none; a line that a kill has torn is dropped.

        Args:
            path: the file.
            about: what the run is, written as the first line.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.about = path, dict(about)
        self.send: Sender = _nobody
        self._kept = read_journal(path)[1]
        self._rows, self._step = 0, -1
        self._goes_on = False
        self._file = path.open("a", encoding="utf-8")
        if not path.stat().st_size:
            self._replace([])  # whoever looks finds what it is

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Append values at an optimiser step."""
        self._append("metrics", values=values, step=step)

    def summary(self, values: Mapping[str, Any]) -> None:
        """Append what is final for the run."""
        self._append("summary", values=values)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append a table."""
        self._append("table", name=name, columns=columns, rows=rows)

    def picture(self, name: str, path: Path, kept_as: Path | None = None) -> None:
        """Append where a picture or a page lies, or will lie, as seen from the journal."""
        self._append("picture", path, name=name, path=self._relative(kept_as or path))

    def artifact(self, artifact: Artifact) -> None:
        """Append what was published, and where its folder lies, as seen from the journal."""
        folder = self._relative(artifact.folder) if artifact.folder else None
        self._append("artifact", **redacted(asdict(artifact) | {"folder": folder}))

    def mark(self, key: str) -> None:
        """Append that all of a step's lines are there."""
        self._append("mark", key=key)

    def end(self, exit_code: int) -> None:
        """Append how the run ended."""
        self._append("end", exit_code=exit_code)

    def rewind(self, step: int) -> None:
        """Go on from a checkpoint: drop what was recorded after its step, since it will be recorded again."""
        self._rewrite([line for line in self._kept if line["event"] == "metrics" and line["step"] <= step])

    def go_on(self, done: Collection[str]) -> None:
        """Go on after steps that are done; what was recorded of others is dropped, since it will be again."""
        self._rewrite(lines_of_done(self._kept, done))

    def adopt(self, lines: list[Line]) -> None:
        """Begin with lines of another journal of the same work."""
        self._rewrite(lines)

    def close(self) -> None:
        """Close the file."""
        # every line was written at once: what is left has failed, and was told of, before
        with suppress(OSError):
            self._file.close()

    def _append(self, event: str, at: Path | None = None, **content: Any) -> None:
        if not self._goes_on:
            self._rewrite([])
        self._step = max(self._step, content.pop("step", -1))
        line = {"event": event, "step": self._step, **plain(content)}
        self._file.write(_line(line))
        self._file.flush()
        row = self._rows
        self._rows += event in ROWS
        self.send(line, row, at)

    def _rewrite(self, lines: list[Line]) -> None:
        """Go on after these lines, and send what a server may not have got of them when they were recorded."""
        self._goes_on = True
        self._replace(lines)
        self._kept = lines
        self._rows, self._step = 0, max((line["step"] for line in lines), default=-1)
        for line in lines:
            row = self._rows
            self._rows += line["event"] in ROWS
            self.send(line, row, None)

    def _replace(self, lines: list[Line]) -> None:
        """Replace the file's lines in one step."""
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        head = {"event": "run", "step": -1, **self.about}
        try:
            aside.write_text("".join(_line(line) for line in (head, *lines)), encoding="utf-8")
            aside.replace(self.path)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        self._file.close()
        self._file = self.path.open("a", encoding="utf-8")

    def _relative(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.path.parent)).as_posix()


@contextmanager
def ending(journal: Journal) -> Iterator[None]:
    """Record how the block ends."""
    try:
        yield
    except BaseException:
        with suppress(OSError):  # on a disk that is full, of which the block's own error tells
            journal.end(1)
        raise
    journal.end(0)


def read_journal(path: Path) -> tuple[dict[str, Any], list[Line]]:
    """Return what a run is and its lines, oldest first; a line that a kill has torn is left out."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}, []
    lines = [line for line in map(_parsed, text.splitlines()) if line is not None]
    about = next((line for line in lines if line["event"] == "run"), {})
    return about, [line for line in lines if line["event"] != "run"]


def read_recorded(path: Path) -> Recorded:
    """Return what a journal holds already."""
    lines = read_journal(path)[1]
    return Recorded(
        finished=bool(lines) and lines[-1]["event"] == "end" and lines[-1].get("exit_code") == 0,
        marks=frozenset(line["key"] for line in lines if line["event"] == "mark"),
        published=frozenset(
            line["metadata"].get("fingerprint", "") for line in lines if line["event"] == "artifact"
        ),
    )


def lines_of_done(lines: Sequence[Line], done: Collection[str]) -> list[Line]:
    """Return the lines of steps that are done, each ended by its mark, and what was published."""
    kept: list[Line] = []
    open_lines: list[Line] = []
    for line in lines:
        if line["event"] == "artifact":
            kept.append(line)
        elif line["event"] == "mark":
            if line["key"] in done:
                kept += [*open_lines, line]
            open_lines = []
        elif line["event"] != "end":
            open_lines.append(line)
    return kept


def settled(lines: Sequence[Line]) -> list[Line]:
    """Return the lines without tables and pictures of a step that has not ended: its files may never have been kept."""
    ends = [number for number, line in enumerate(lines) if line["event"] == "mark"]
    begin = ends[-1] + 1 if ends else 0
    tail = takewhile(lambda line: line["event"] not in {"table", "picture"}, lines[begin:])
    closing = [line for line in lines[begin:] if line["event"] in {"artifact", "end"}]
    kept = [line for line in tail if line not in closing]
    return [*lines[:begin], *kept, *closing]


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: arrays as lists, `nan` and `inf` as words, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, str | bool | int) or value is None:
        return value
    if hasattr(value, "tolist"):  # a number or an array of numpy or torch
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)


def _nobody(line: Line, row: int, at: Path | None) -> None:
    """Send a line nowhere."""


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(plain(content), ensure_ascii=False) + "\n"


def _parsed(text: str) -> Line | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    whole = isinstance(line, dict) and isinstance(line.get("step"), int) and "event" in line
    return line if whole else None

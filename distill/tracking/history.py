"""A run's own record: every figure as a line of JSON, on disk before the next one is made."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.contracts import Artifact


class HistoryLog:
    """Appends to the history file of a run that starts, or that goes on from a checkpoint.

    A run that goes on says so with `rewind` before it records anything. One that does not starts anew, and
    what a killed try has left in the file is dropped. Either way no step is recorded twice.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, making it where there is none; a line that a kill has torn is dropped."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._kept = read_history(path)
        self.recorded_until = max((line["step"] for line in self._kept), default=-1)
        """The last step that an earlier try has recorded; -1 for none."""
        self.step = -1
        """The last step that this run has recorded, or goes on from; -1 for none."""
        self._goes_on = False
        self._file = path.open("a", encoding="utf-8")

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Append values at an optimiser step."""
        self.step = max(self.step, step)
        self._append("metrics", step, values=values)

    def summary(self, values: Mapping[str, Any]) -> None:
        """Append what is final for the run."""
        self._append("summary", self.step, values=values)

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Append a table."""
        self._append("table", self.step, name=name, columns=columns, rows=rows)

    def picture(self, name: str, path: Path) -> None:
        """Append where a picture or a page lies, as seen from the history file."""
        self._append("picture", self.step, name=name, path=self._relative(path))

    def artifact(self, artifact: Artifact) -> None:
        """Append what was published, and where its folder lies, as seen from the history file."""
        described = asdict(artifact) | {"folder": self._relative(artifact.folder)}
        self._append("artifact", self.step, **described)

    def rewind(self, step: int) -> None:
        """Go on after a step: drop what was recorded later, since it will be recorded again."""
        self._kept = [line for line in self._kept if line["step"] <= step]
        self.step = max((line["step"] for line in self._kept), default=-1)
        self._rewrite(self._kept)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, event: str, step: int, **content: Any) -> None:
        if not self._goes_on:
            self._rewrite([])
        line = {"event": event, "step": step, **content}
        self._file.write(_line(line))
        self._file.flush()

    def _rewrite(self, lines: list[dict[str, Any]]) -> None:
        """Replace the file's lines in one step."""
        self._goes_on = True
        self._file.close()
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        aside.write_text("".join(_line(line) for line in lines), encoding="utf-8")
        aside.replace(self.path)
        self._file = self.path.open("a", encoding="utf-8")

    def _relative(self, path: Path) -> str:
        return Path(os.path.relpath(path, self.path.parent)).as_posix()


def read_history(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a history file, oldest first; one that a kill has torn is left out."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in map(_parsed, text.splitlines()) if line is not None]


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


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(plain(content), ensure_ascii=False) + "\n"


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("step"), int) else None

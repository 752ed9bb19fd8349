"""What a person sees while an experiment runs: which step, how far, how much is left."""

from __future__ import annotations

import time
from typing import TextIO


class ConsoleProgress:
    """Writes a line for each step; on a terminal the line of the running step is kept up to date."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._total_steps = stream, 0
        self._live = stream.isatty()
        self._number, self._title, self._cached = 0, "", 0
        self._begun = self._step_begun = self._told_at = time.monotonic()

    def expect(self, steps: int) -> None:
        """Tell how many steps the plan has."""
        self._total_steps = steps

    def stage(self, stage: str, name: str, *, cached: bool) -> None:
        """Begin a step, or pass over one that is in the store."""
        self._end_line()
        self._number += 1
        self._step_begun = self._told_at = time.monotonic()
        if cached:
            self._cached += 1
            return
        title = stage if name.replace("-", "_") == stage else f"{stage} {name}"
        self._title = f"[{self._number}/{self._total_steps}] {title}"
        self._write(self._title + (" ..." if self._live else "\n"))

    def advance(self, done: int, total: int, note: str = "") -> None:
        """Show how far the running step is; on a plain stream every ten seconds."""
        now = time.monotonic()
        if now - self._told_at < (0.2 if self._live else 10) and done < total:
            return
        self._told_at = now
        if done >= total and not self._live:
            return
        spent = now - self._step_begun
        left = spent / done * (total - done) if done else 0
        parts = [f"{100 * done // total:3d} %", f"{_clock(left)} left in this step", note]
        text = "  ".join(part for part in parts if part)
        if self._live:
            self._write(f"\r\033[K{self._title}  {text}")
        else:
            self._write(f"    {text}\n")

    def note(self, text: str) -> None:
        """Write a line of its own."""
        self._end_line()
        self._write(f"note: {text}\n")

    def close(self) -> None:
        """Say how long it took."""
        self._end_line()
        made = self._number - self._cached
        self._write(
            f"{made} steps done, {self._cached} found in the store, {_clock(time.monotonic() - self._begun)}\n"
        )

    def _end_line(self) -> None:
        if self._live and self._title:
            self._write(f"\r\033[K{self._title}  {_clock(time.monotonic() - self._step_begun)}\n")
        self._title = ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class Silence:
    """Tells nothing: for callers that are programs."""

    def stage(self, stage: str, name: str, *, cached: bool) -> None:
        """Pass over."""

    def advance(self, done: int, total: int, note: str = "") -> None:
        """Pass over."""

    def note(self, text: str) -> None:
        """Pass over."""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"

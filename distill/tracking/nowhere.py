"""A log that goes nowhere, for what is told elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.contracts import Artifact


class Nowhere:
    """Takes everything and keeps nothing."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Pass over."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """Pass over."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Pass over."""

    def picture(self, name: str, path: Path, kept_as: Path | None = None) -> None:
        """Pass over."""

    def rewind(self, step: int) -> None:
        """Pass over."""

    def artifact(self, artifact: Artifact) -> None:
        """Pass over."""

    def mark(self, key: str) -> None:
        """Pass over."""

    def go_on(self, done: Collection[str]) -> None:
        """Pass over."""

"""Where things lie below the store's root, and what `distill store ls` tells of each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from distill.errors import StoreError
from distill.store.manifest import DamageError, read_manifest

MEMO = "memo"
"""The stage of side results, such as word vectors."""
MEMOS = "memos.txt"
"""In a scratch folder: a line for each memo that was asked for."""


@dataclass(frozen=True)
class Entry:
    """A result, or what a run left behind that has not finished."""

    stage: str
    key: str
    name: str
    """What it is, for people; empty where that cannot be told."""
    bytes: int
    created: datetime
    last_used: datetime
    finished: bool


@dataclass(frozen=True)
class StoreFolder:
    """The places of a store."""

    root: Path

    @property
    def sessions(self) -> Path:
        """A file for each process that uses the store."""
        return self.root / "locks" / "sessions"

    @property
    def hashes(self) -> Path:
        """The remembered checksums of large files."""
        return self.root / "hashes.json"

    def result(self, stage: str, key: str) -> Path:
        """Where a finished result lies."""
        return self.root / "results" / stage / key

    def scratch(self, stage: str, key: str) -> Path:
        """Where a result is being made."""
        return self.root / "scratch" / f"{stage}-{key}"

    def lock(self, name: str) -> Path:
        """The file of a lock."""
        return self.root / "locks" / f"{name}.lock"

    def experiment(self, name: str) -> Path:
        """Where an experiment's results have names for people."""
        return self.root / "experiments" / name

    def create(self) -> None:
        """Make the folders.

        Raises:
            StoreError: the root is no folder, or cannot be written.
        """
        try:
            for folder in (
                self.root / "results",
                self.root / "scratch",
                self.root / "experiments",
                self.sessions,
            ):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.root, error) from error

    def memos_of(self, stage: str, key: str) -> set[str]:
        """Return the keys of the side results that a result was made with, or is being made with."""
        try:
            return set(read_manifest(self.result(stage, key)).get("memos", ()))
        except DamageError:
            return read_memos(self.scratch(stage, key))

    def entries(self) -> Iterator[Entry]:
        """Yield every finished result, then what is half done."""
        finished = sorted(folder for folder in (self.root / "results").glob("*/*") if folder.is_dir())
        for folder in finished:
            with suppress(FileNotFoundError):  # another process may remove it meanwhile
                yield _entry(folder.parent.name, folder.name, folder, finished=True)
        for folder in sorted((self.root / "scratch").iterdir()):
            stage, _, key = folder.name.rpartition("-")
            with suppress(FileNotFoundError):
                yield _entry(stage, key, folder, finished=False)


def read_memos(scratch: Path) -> set[str]:
    """Return the keys of the memos that were asked for while a result was made, over all tries."""
    try:
        return set((scratch / MEMOS).read_text(encoding="utf-8").split())
    except OSError:
        return set()


def unwritable(root: Path, error: OSError) -> StoreError:
    """Return the error for a store that cannot be written."""
    reason = (error.strerror or str(error)).lower()
    return StoreError(
        f"{root}: the store cannot be written ({reason}); "
        "choose another folder with `runtime.store` in the experiment file or with --store"
    )


def tree_bytes(folder: Path) -> int:
    """Return the bytes of all files below a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_size
            except FileNotFoundError:
                continue
    return total


def _entry(stage: str, key: str, folder: Path, *, finished: bool) -> Entry:
    try:
        manifest = read_manifest(folder) if finished else {}
    except DamageError:
        manifest = {}
    last_used = folder.stat().st_mtime
    return Entry(
        stage=stage,
        key=key,
        name=manifest.get("name", ""),
        bytes=tree_bytes(folder),
        created=datetime.fromtimestamp(manifest.get("created", last_used), UTC),
        last_used=datetime.fromtimestamp(last_used, UTC),
        finished=finished,
    )

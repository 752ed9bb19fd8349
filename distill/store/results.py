"""One result at a time: read it whole, make it, take it away. The callers hold its lock."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from distill.store.disk import flush, flush_tree
from distill.store.folder import StoreFolder, read_memos
from distill.store.manifest import DamageError, check_contents, check_sizes, read_manifest, write_manifest
from distill.store.sessions import Session


@dataclass
class Results:
    """The finished results of a store, as one process sees them."""

    folder: StoreFolder
    session: Session
    note: Callable[[str], None]
    _verified: set[Path] = field(default_factory=set)

    def holds(self, stage: str, key: str) -> bool:
        """Tell whether a result is there, by the sizes of its files."""
        place = self.folder.result(stage, key)
        try:
            check_sizes(place, read_manifest(place))
        except (DamageError, FileNotFoundError):
            return False
        return True

    def read(self, stage: str, key: str) -> Path | None:
        """Return a result's folder, or None where there is none.

        Raises:
            DamageError: it is not what was written.
        """
        place = self.folder.result(stage, key)
        if not place.is_dir():
            return None
        self.session.add(f"{stage}-{key}")
        manifest = read_manifest(place)
        check_sizes(place, manifest)
        if place not in self._verified:
            check_contents(place, manifest)
            self._verified.add(place)
        with suppress(OSError):
            place.touch()  # its time tells when it was last used
        return place

    def read_or_remove(self, stage: str, key: str) -> Path | None:
        """Return a result's folder, or None where there is none or it was damaged and had to be removed."""
        try:
            return self.read(stage, key)
        except DamageError as damage:
            place = self.folder.result(stage, key)
            self.note(f"{place} is damaged: {damage}; it is removed and made again")
            self.remove(place)
            return None

    def make(self, stage: str, key: str, name: str, produce: Callable[[Path, Path], None]) -> Path:
        """Let `produce` fill a folder aside, seal it and rename it into place."""
        scratch, place = self.folder.scratch(stage, key), self.folder.result(stage, key)
        result, work = scratch / "result", scratch / "work"
        shutil.rmtree(result, ignore_errors=True)  # what a killed try left behind
        result.mkdir(parents=True)
        work.mkdir(exist_ok=True)
        try:
            produce(result, work)
            memos = sorted(read_memos(scratch))
            write_manifest(result, name=name, stage=stage, key=key, created=time.time(), memos=memos)
            flush_tree(result)
            place.parent.mkdir(exist_ok=True)
            result.rename(place)
        except BaseException:
            shutil.rmtree(result, ignore_errors=True)
            for folder in (work, scratch):  # stays where it holds checkpoints or memos for the next try
                with suppress(OSError):
                    folder.rmdir()
            raise
        flush(place.parent)
        shutil.rmtree(scratch, ignore_errors=True)
        self._verified.add(place)
        self.session.add(f"{stage}-{key}")
        return place

    def remove(self, place: Path) -> None:
        """Remove a result, in one step for everybody else."""
        self._verified.discard(place)
        aside = self.folder.scratch("removed", place.name)
        shutil.rmtree(aside, ignore_errors=True)
        place.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

"""Frees what no experiment needs, and never what another process uses."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from distill.locks import locked
from distill.store.folder import MEMO, Entry
from distill.store.publish import remove_dangling
from distill.store.results import Results
from distill.store.sessions import names_in_use


@dataclass(frozen=True)
class Pruned:
    """What was removed, and what had to stay though no experiment needs it."""

    removed: tuple[Entry, ...]
    in_use: tuple[Entry, ...]
    """By another process."""
    held: tuple[Entry, ...]
    """As the caller has asked."""

    @property
    def bytes(self) -> int:
        """The bytes that were freed."""
        return sum(entry.bytes for entry in self.removed)


def prune(
    results: Results, keep: AbstractSet[tuple[str, str]], held: Collection[Path], *, dry_run: bool
) -> Pruned:
    """Remove every result and every half-done run but those of `keep`, and the memos that went into them."""
    folder = results.folder
    kept = keep | {(MEMO, memo) for stage, key in keep for memo in folder.memos_of(stage, key)}
    places = {parent for path in map(Path.resolve, held) for parent in (path, *path.parents)}
    removed: list[Entry] = []
    in_use: list[Entry] = []
    stay: list[Entry] = []
    for entry in list(folder.entries()):
        done = not entry.finished and results.holds(entry.stage, entry.key)
        if not done and (entry.stage, entry.key) in kept:
            continue
        if entry.finished and folder.result(entry.stage, entry.key).resolve() in places:
            stay.append(entry)
        else:
            (removed if _remove(results, entry, dry_run=dry_run) else in_use).append(entry)
    if not dry_run:
        remove_dangling(folder.root / "experiments")
    return Pruned(tuple(removed), tuple(in_use), tuple(stay))


def _remove(results: Results, entry: Entry, *, dry_run: bool) -> bool:
    """Remove an entry unless another process makes or reads it; return whether it may go."""
    folder, name = results.folder, f"{entry.stage}-{entry.key}"
    with locked(folder.lock(name)) as got:
        read_by_others = entry.finished and name in names_in_use(folder.sessions, but=results.session.path)
        if not got or read_by_others:
            return False
        if dry_run:
            return True
        if entry.finished:
            results.remove(folder.result(entry.stage, entry.key))
        else:
            shutil.rmtree(folder.scratch(entry.stage, entry.key), ignore_errors=True)
        folder.lock(name).unlink(missing_ok=True)
    return True

"""What each process reads from a store, so that another one's `prune` leaves it alone."""

from __future__ import annotations

import fcntl
import os
import uuid
import weakref
from contextlib import suppress
from pathlib import Path

from distill.locks import acquire, locked


class Session:
    """What this process reads from the store, so that another one's `prune` leaves it alone.

    A file that the process holds locked for as long as it lives, with a line for each result.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._descriptor = acquire(self.path, fcntl.LOCK_EX)
        self._names: set[str] = set()
        self.close = weakref.finalize(self, _end_session, self._descriptor, self.path, os.getpid())

    def add(self, name: str) -> None:
        """Tell the others that the result of that name is being read."""
        if name not in self._names:
            os.write(self._descriptor, f"{name}\n".encode())
            self._names.add(name)


def _end_session(descriptor: int, path: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child inherits the object, but not the session
        path.unlink(missing_ok=True)
        os.close(descriptor)


def names_in_use(folder: Path, *, but: Path) -> set[str]:
    """Return what the other live sessions read; what dead ones left behind is removed.

    Args:
        folder: where the sessions lie.
        but: the caller's own session.
    """
    names: set[str] = set()
    for path in folder.iterdir():
        if path == but:
            continue
        with locked(path) as dead, suppress(FileNotFoundError):
            if dead:
                path.unlink()
            else:
                names.update(path.read_text(encoding="utf-8").split())
    return names

"""Kernel locks: several processes share a store, and a killed one leaves no lock behind."""

from __future__ import annotations

import fcntl
import os
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PAUSE_SECONDS = 0.1


@contextmanager
def locked(path: Path, *, shared: bool = False, waiting: Callable[[], None] | None = None) -> Iterator[bool]:
    """Hold the lock of that name; yield whether it was got.

    Args:
        path: the lock's file, made when it is missing.
        shared: several may hold it at once, but none of them beside an exclusive holder.
        waiting: called once when another process holds the lock, which is then waited for.
            Without it, nothing is waited for and False is yielded.
    """
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    descriptor = _try(path, mode)
    if descriptor is None and waiting is not None:
        waiting()
        descriptor = _acquire(path, mode)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            # not by closing alone: a forked data loader may hold the same open file
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _acquire(path: Path, mode: int) -> int:
    while (descriptor := _try(path, mode)) is None:
        time.sleep(PAUSE_SECONDS)  # small steps, so that a signal is answered
    return descriptor


def _try(path: Path, mode: int) -> int | None:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)  # `prune` removed the file between our two calls: the lock would lock nobody out


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class Session:
    """What this process reads from the store, so that another one's `prune` leaves it alone.

    A file that the process holds locked for as long as it lives, with a line for each result.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._descriptor = _acquire(self.path, fcntl.LOCK_EX)
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

"""Kernel locks: several processes share a folder, and a killed one leaves no lock behind."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        descriptor = acquire(path, mode)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            # not by closing alone: a forked data loader may hold the same open file
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def acquire(path: Path, mode: int) -> int:
    """Return the open file that holds the lock, once it can be had."""
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

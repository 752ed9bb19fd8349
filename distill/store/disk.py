"""What a disk may do to us: be full, be read-only, forget what was not flushed."""

from __future__ import annotations

import errno
import os
import re
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from distill.errors import StoreError


class Fault(NamedTuple):
    """Why the disk takes no more, and what helps."""

    reason: str
    remedy: str


MAKE_ROOM = "make room, for instance with `distill store prune`"
FULL_DISK = Fault("the disk is full", MAKE_ROOM)
FILE_TOO_LARGE = Fault("a file is larger than this process may write", "raise the limit (see `ulimit -f`)")
FAULTS = {
    errno.ENOSPC: FULL_DISK,
    errno.EDQUOT: Fault("the disk quota is used up", MAKE_ROOM),
    errno.EFBIG: FILE_TOO_LARGE,
}

# torch and safetensors are C++ and Rust: there a full disk is an error of another kind
FULL_DISK_TEXT = re.compile(
    r"No space left on device|PytorchStreamWriter failed|file write failed|unexpected pos \d+ vs \d+"
    r"|\d+ requested and \d+ written",  # numpy's tofile
)


@contextmanager
def explain_full_disk(place: Path) -> Iterator[None]:
    """Turn the many faces of a full disk into one `StoreError`; every other error passes through.

    Args:
        place: a folder on the disk that is written to, whose free bytes the message tells.

    Raises:
        StoreError: the disk is full, a quota is used up, or a file met the size limit.
    """
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        fault = _fault(error, place)
        if fault is None:
            raise
        free = shutil.disk_usage(place).free
        raise StoreError(
            f"{fault.reason}: {_written(error, place)} cannot be written ({free} bytes free at {place}); "
            f"{fault.remedy}, and give the same command again: what is finished is kept"
        ) from error


def _fault(error: BaseException, place: Path) -> Fault | None:
    """Return why the disk takes no more, or None for an error of another kind."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, OSError) and chain.errno in FAULTS:
            return FAULTS[chain.errno]
        if FULL_DISK_TEXT.search(str(chain)):
            return FILE_TOO_LARGE if _has_room_for_the_largest_file(place) else FULL_DISK
        chain = chain.__cause__ or chain.__context__
    return None


def _has_room_for_the_largest_file(place: Path) -> bool:
    """Tell whether the limit on a file's size was met, and not the end of the disk, where no number says so."""
    largest, _ = resource.getrlimit(resource.RLIMIT_FSIZE)  # without a limit -1, or more than any disk holds
    return 0 <= largest <= shutil.disk_usage(place).free


def _written(error: BaseException, place: Path) -> str:
    name = getattr(error, "filename", None)
    return str(name) if name else f"a file of {place}"


def flush_tree(folder: Path) -> None:
    """Wait until every file and folder below `folder` is on the disk and not only in memory."""
    for parent, _, names in os.walk(folder):
        for name in names:
            flush(Path(parent, name))
        flush(Path(parent))


def flush(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write a file aside and rename it, so that a reader finds the old text or the new, never a half."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_text(text, encoding="utf-8")
        flush(aside)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise

"""What a disk may do to us: be full, be read-only, forget what was not flushed."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distill.errors import StoreError

REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not grow any further (see `ulimit -f`)",
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
        reason = _full_disk(error)
        if reason is None:
            raise
        free = shutil.disk_usage(place).free
        raise StoreError(
            f"{reason}: {_written(error, place)} cannot be written ({free} bytes free at {place}); "
            "make room, for instance with `distill store prune`, and give the same command again: "
            "what is finished is kept"
        ) from error


def _full_disk(error: BaseException) -> str | None:
    """Return why the disk takes no more, or None for an error of another kind."""
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, OSError) and chain.errno in REASONS:
            return REASONS[chain.errno]
        if FULL_DISK_TEXT.search(str(chain)):
            return REASONS[errno.ENOSPC]
        chain = chain.__cause__ or chain.__context__
    return None


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

"""Checksums of files and folders; those of large files are remembered, so that `plan` stays quick."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from distill.errors import StoreError
from distill.fingerprint import file_hash
from distill.locks import locked
from distill.store.disk import write_whole

LARGE_BYTES = 1_000_000
SETTLED_SECONDS = 2.0


class HashMemory:
    """Remembers sha256 by path, size and times. A lost or damaged memory costs time, nothing else."""

    def __init__(self, file: Path, lock: Path) -> None:
        self._file = file
        self._lock = lock

    def content_hash(self, path: Path) -> str:
        """Return the sha256 of a file, or of the names and contents of all files below a folder.

        Raises:
            StoreError: there is nothing of that name, or it cannot be read.
        """
        try:
            return self._folder_hash(path) if path.is_dir() else self._file_hash(path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StoreError(f"{error.filename or path}: cannot be read ({reason})") from error

    def _folder_hash(self, folder: Path) -> str:
        digest = hashlib.sha256()
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            digest.update(f"{path.relative_to(folder).as_posix()}\0{self._file_hash(path)}\n".encode())
        return digest.hexdigest()

    def _file_hash(self, path: Path) -> str:
        before = path.stat()
        if before.st_size < LARGE_BYTES:
            return file_hash(path)
        name, signature = str(path.resolve()), [before.st_size, before.st_mtime_ns, before.st_ctime_ns]
        known = self._read().get(name)
        if isinstance(known, list) and known[:3] == signature:
            return str(known[3])
        digest = file_hash(path)
        # a file written a moment ago may change again within one tick of its clock: not remembered
        if before.st_ctime < time.time() - SETTLED_SECONDS:
            self._remember(name, [*signature, digest])
        return digest

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _remember(self, name: str, line: list[Any]) -> None:
        with locked(self._lock, waiting=lambda: None):
            write_whole(self._file, json.dumps(self._read() | {name: line}, indent=1))

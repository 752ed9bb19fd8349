"""Keys of stage results: equal keys mean equal figures."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LENGTH = 20
"""Hex digits of a key: short enough for a folder name, long enough that two never meet."""


def fingerprint(parts: Mapping[str, Any]) -> str:
    """Return the key of named parts, each plain data; their order does not matter."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def source_of(config: object) -> str:
    """Return the sha256 of the source of a config's module, so that a user's edit makes a new key.

    The helpers that the module imports are not followed: a user's class lives in one file, or takes a new name.
    """
    file = inspect.getsourcefile(type(config)) or getattr(
        sys.modules[type(config).__module__], "__file__", None
    )
    return file_hash(Path(file)) if file else ""


def short(key: str) -> str:
    """Return the part of a fingerprint by which a version is called in the dashboard."""
    return key[:12]

"""The list of a result's files, written last and checked before anything of the result is used."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distill.fingerprint import file_hash
from distill.result_files import MANIFEST
from distill.store.disk import write_whole


class DamageError(Exception):
    """A result is not what was written; the message says which file, and how it differs."""


def write_manifest(folder: Path, **about: Any) -> None:
    """List all files of `folder` with size and sha256, and what the result is."""
    files = {
        name: {"bytes": path.stat().st_size, "sha256": file_hash(path)}
        for name, path in sorted(_files(folder))
    }
    content = {**about, "files": files}
    write_whole(folder / MANIFEST, json.dumps({**content, "checksum": _checksum(content)}, indent=1))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a result.

    Raises:
        DamageError: it is missing, cannot be read, or was changed.
    """
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        checksum = found.pop("checksum")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamageError(f"{MANIFEST} cannot be read") from error
    if checksum != _checksum(found):
        raise DamageError(f"{MANIFEST} was changed")
    return dict(found)


def check_sizes(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Compare names and sizes with the manifest: quick, and blind to a flipped byte.

    Raises:
        DamageError: a file is missing, is too many, or has another size.
    """
    expected = manifest["files"]
    found = dict(_files(folder))
    for name in sorted(expected.keys() - found.keys()):
        raise DamageError(f"{name} is missing")
    for name in sorted(found.keys() - expected.keys()):
        raise DamageError(f"{name} does not belong there")
    for name, path in found.items():
        size = path.stat().st_size
        if size != expected[name]["bytes"]:
            raise DamageError(f"{name} has {size} bytes instead of {expected[name]['bytes']}")


def check_contents(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Compare every byte with the manifest.

    Raises:
        DamageError: a file's sha256 differs.
    """
    for name, expected in manifest["files"].items():
        if file_hash(folder / name) != expected["sha256"]:
            raise DamageError(f"{name} was changed (its sha256 differs)")


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield name, with `/`, and path of each file but the manifest."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            relative = path.relative_to(folder).as_posix()
            if relative != MANIFEST:
                yield relative, path


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

"""Gives results names for people: a folder of links for each experiment, or of copies without links."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from distill.store.disk import write_whole

RECORD = ".published.json"


def publish(folder: Path, places: Mapping[str, Path]) -> None:
    """Make `folder` show exactly `places`: relative name -> file or folder.

    Each name is replaced at once, never missing in between. Names of an earlier call that are gone are
    removed; files that somebody else put there are left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    published = _published(folder)
    for name in sorted(published - places.keys()):
        _remove(folder / name)
        _remove_empty_parents(folder, (folder / name).parent)
    # written before the links: a kill in between must not leave a name that nobody remembers
    _record(folder, published | places.keys())
    for name, target in places.items():
        _replace(folder / name, target)
    _record(folder, places.keys())


def remove_dangling(experiments: Path) -> None:
    """Remove links whose result is gone, and the folders that this leaves empty."""
    for parent, folders, files in os.walk(experiments, topdown=False):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink() and not path.exists():
                path.unlink()
                _remove_empty_parents(experiments, path.parent)


def _published(folder: Path) -> set[str]:
    try:
        names = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return {n for n in names if isinstance(n, str)} if isinstance(names, list) else set()


def _record(folder: Path, names: Iterable[str]) -> None:
    write_whole(folder / RECORD, json.dumps(sorted(names), indent=1))


def _replace(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.{os.getpid()}")
    _remove(aside)
    try:
        aside.symlink_to(os.path.relpath(target.resolve(), place.parent.resolve()))
    except OSError:  # a file system without links
        _copy(target, aside)
    if place.is_dir() and not place.is_symlink():
        _remove(place)  # a copied folder cannot be replaced in one step
    aside.replace(place)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_empty_parents(stop: Path, folder: Path) -> None:
    while folder != stop and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent

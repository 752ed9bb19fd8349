"""Downloads an artifact into a folder of its own: checked, or not at all.

What comes from a server is material to be judged. No name may lead out of the folder, no file may be a pickle, a
reference to somewhere else is not followed, and no code that the files name is imported unless somebody says so.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from distill.dashboard.artifacts import STUDENT, short_name
from distill.dashboard.connection import Connection
from distill.errors import ModelError, TrackingError
from distill.fingerprint import file_hash
from distill.model_folder import read_model
from distill.result_files import PICKLES, read_json
from distill.stages.artifacts import CARD, CHECKSUMS
from distill.tracking.wandb_settings import stop_service

if TYPE_CHECKING:
    from distill.dashboard.artifacts import ServerArtifact

FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Trust:
    """Whether code that a model names may be imported, and from where besides the installed packages."""

    custom_code: bool = False
    code_folder: Path | None = None


@dataclass(frozen=True)
class Pulled:
    """What was downloaded."""

    folder: Path
    name: str
    """As `ada/distill/quickstart-textcnn:v3`."""
    kind: str
    card: str | None
    """The model card, of a student."""


def target_of(artifact: ServerArtifact, to: Path | None) -> Path:
    """Return the folder that is going to be filled.

    Raises:
        TrackingError: it holds something already, or the artifact's name is none for a folder.
    """
    name = short_name(artifact).replace(":", "-")
    if to is None and not FOLDER_NAME.fullmatch(name):
        raise TrackingError(f"{name!r}: no name for a folder; name one with --to")
    target = to or Path(name)
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise TrackingError(f"{target}: there is a file of that name; name another folder with --to")
    if target.is_dir() and any(target.iterdir()):
        raise TrackingError(f"{target}: the folder is not empty; name another one with --to")
    return target


def pull(connection: Connection, artifact: ServerArtifact, target: Path, trust: Trust) -> Pulled:
    """Download an artifact, check it, and put it in place.

    Args:
        connection: the way to the server.
        artifact: what is wanted.
        target: what `target_of` has returned.
        trust: what may be imported.

    Raises:
        TrackingError: it could not be downloaded, or it is not what it should be.
        ModelError: its model cannot be read by this release, or names code that is not trusted.
    """
    name = f"{artifact.entity}/{artifact.project}/{short_name(artifact)}"
    entries = connection.ask(name, lambda: dict(artifact.manifest.entries))
    for path, entry in entries.items():
        _check_entry(name, path, entry)
    with _aside(target) as folder:
        _download(connection, artifact, entries, folder, name)
        _check_digests(connection, artifact, entries, folder, name)
        if artifact.type == STUDENT:
            _check_checksums(folder, name)
        if artifact.type in {STUDENT, "teacher"}:
            _check_model(folder, name, artifact.type, trust)
        card = _card(folder, name) if artifact.type == STUDENT else None
        folder.rename(target)
    return Pulled(target, name, artifact.type, card)


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside the target; it is removed unless it was renamed."""
    folder = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise TrackingError(f"{target}: cannot be made ({error.strerror})") from error
    try:
        yield folder
    except OSError as error:
        raise TrackingError(f"{target}: cannot be written ({error.strerror})") from error
    finally:
        if folder.exists():
            stop_service()  # it may be writing a file still
            shutil.rmtree(folder, ignore_errors=True)


def _check_entry(name: str, path: str, entry: Any) -> None:
    """Judge a file by what the manifest says of it, before anything is downloaded."""
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or any(part in {"", ".", ".."} for part in parts):
        raise TrackingError(f"{name}: the file name {path!r} leads out of the folder; nothing was downloaded")
    if entry.ref is not None:
        raise TrackingError(
            f"{name}: {path} is a reference ({entry.ref}), which is not followed; nothing was downloaded"
        )
    if PurePosixPath(path).suffix.lower() in PICKLES:
        raise TrackingError(f"{name}: {path} could run code when it is opened; nothing was downloaded")


def _download(
    connection: Connection, artifact: ServerArtifact, entries: Mapping[str, Any], folder: Path, name: str
) -> None:
    """Fetch each file by wandb's own process: it can be ended, other than the threads of `artifact.download`."""
    for file in connection.each(name, artifact.files):
        if file.name not in entries:
            raise TrackingError(f"{name}: the server offers {file.name!r}, which the artifact does not name")
        fetch = partial(_fetch, file, folder)
        connection.ask(f"{name}: {file.name}", fetch, size=entries[file.name].size or 0)


def _fetch(file: Any, folder: Path) -> None:
    file.download(str(folder)).close()


def _check_digests(
    connection: Connection, artifact: ServerArtifact, entries: Mapping[str, Any], folder: Path, name: str
) -> None:
    """Check what wandb itself knows of each file."""
    found = _files_in(folder, name)
    if missing := sorted(entries.keys() - found):
        raise TrackingError(f"{name}: {', '.join(missing)} did not come; nothing was kept")
    connection.ask(f"{name}: damaged, nothing was kept", lambda: artifact.verify(str(folder)))


def _files_in(folder: Path, name: str) -> set[str]:
    found = list(folder.rglob("*"))
    if links := [path.name for path in found if path.is_symlink()]:
        raise TrackingError(f"{name}: {links[0]} is a link; nothing was kept")
    return {path.relative_to(folder).as_posix() for path in found if path.is_file()}


def _check_checksums(folder: Path, name: str) -> None:
    """Check a student's own list: each file once, each with its sha256."""
    try:
        wanted = read_json(folder / CHECKSUMS)
    except FileNotFoundError:
        raise TrackingError(
            f"{name}: it has no {CHECKSUMS}, so that it cannot be checked; nothing was kept"
        ) from None
    except ValueError as error:
        raise TrackingError(f"{name}: {CHECKSUMS} cannot be read ({error}); nothing was kept") from error
    found = _files_in(folder, name) - {CHECKSUMS}
    if not isinstance(wanted, dict):
        raise TrackingError(f"{name}: {CHECKSUMS} is no map of files; nothing was kept")
    faults = [f"{path} is missing" for path in sorted(wanted.keys() - found)]
    faults += [f"{path} is not named in {CHECKSUMS}" for path in sorted(found - wanted.keys())]
    both = sorted(found & wanted.keys())
    faults += [f"{path} is damaged" for path in both if file_hash(folder / path) != wanted[path]]
    if faults:
        raise TrackingError(f"{name}: {', '.join(faults)}; nothing was kept")


def _check_model(folder: Path, name: str, kind: str, trust: Trust) -> None:
    """Read the description; what is wrong with it is told of the artifact, since the folder is going to vanish."""
    from distill.inference import load_student

    try:
        role = read_model(folder, trust_custom_code=trust.custom_code, beside=trust.code_folder).role
        load_student(folder, trust_custom_code=trust.custom_code, code_folder=trust.code_folder)
    except ModelError as error:
        raise ModelError(str(error).replace(str(folder), name)) from error
    if role != kind:
        raise ModelError(f"{name}: the artifact is of type '{kind}', but its model is a {role}")


def _card(folder: Path, name: str) -> str:
    try:
        return (folder / CARD).read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise TrackingError(f"{name}: it has no model card ({CARD}); nothing was kept") from error

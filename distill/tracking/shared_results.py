"""Results that another machine has published: found by fingerprint, checked, and put where one's own would lie."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from distill.contracts import BoxLog, Progress
from distill.errors import TrackingError
from distill.fingerprint import short
from distill.result_files import MANIFEST, PICKLES, read_json, write_json
from distill.tracking.access import Mode, owner, public_api, resolve_mode
from distill.tracking.delivery import safe_name
from distill.tracking.nowhere import Nowhere
from distill.tracking.patience import within
from distill.tracking.wandb_runs import PATIENCE_SECONDS, UPLOAD_BYTES_PER_SECOND, server_answers
from distill.tracking.wandb_settings import environment, first_line

if TYPE_CHECKING:
    import wandb


class SharedResults:
    """What one experiment's project holds on the server, as the store of this machine sees it."""

    def __init__(
        self,
        *,
        project: str,
        entity: str | None,
        experiment: str,
        store_root: Path,
        mode: Mode,
        kinds: Collection[str],
        progress: Progress,
    ) -> None:
        """Say where to look; the server is asked when the first result is wanted.

        Args:
            project: the project in wandb where results are published.
            entity: whose project; None takes the user's default.
            experiment: what has published them.
            store_root: the store that is filled.
            mode: whether the server is to be used at all.
            kinds: the kinds of model that the experiment itself names; others are not taken.
            progress: is told what came from where, and once if something fails.
        """
        self._project, self._entity = project, entity
        self._mode, self._kinds, self._progress = mode, kinds, progress
        self._folder = store_root.absolute() / "wandb"
        self._receipts = store_root.absolute() / "history" / experiment
        self._works = True

    def fill(self, name: str, key: str, result: Path, scratch: Path) -> bool:
        """Fill an empty folder with a published result; whatever fails, the result is made here instead."""
        self._receipt(key).unlink(missing_ok=True)
        if not self._works:
            return False
        aside = Path(tempfile.mkdtemp(dir=scratch))
        try:
            with environment(self._folder):
                origin = self._download(name, key, aside)
            if origin is None:
                return False
            for path in aside.iterdir():
                path.rename(result / path.name)
        except Exception as error:  # noqa: BLE001 - the SDK raises what it likes; the result is made here then
            self._works = False
            self._progress.note(f"{name} cannot be taken from wandb ({first_line(error)}): it is made here")
            return False
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        self._receipts.mkdir(parents=True, exist_ok=True)
        write_json(self._receipt(key), {"fingerprint": key, "origin": origin})
        self._progress.note(f"taken from wandb: {origin}")
        return True

    def log_of(self, key: str) -> BoxLog | None:
        """Return a log that goes nowhere for a result that came from elsewhere."""
        return Nowhere() if self._receipt(key).is_file() else None

    def _receipt(self, key: str) -> Path:
        return self._receipts / f"taken-{key[:32]}.json"

    def _download(self, name: str, key: str, aside: Path) -> str | None:
        """Fill `aside`, check it and return where it came from; None where it is not published."""
        import wandb

        if resolve_mode(self._mode) != "online":
            raise TrackingError("there is no key, or wandb is to be offline")
        api = public_api()
        place = f"{owner(api, self._entity)}/{self._project}"
        try:
            found = api.artifact(f"{place}/{safe_name(name)}:{short(key)}")
        except wandb.errors.CommError as error:
            if "not found" in str(error):
                return None
            raise
        if found.metadata.get("fingerprint") != key:
            return None
        check_entries(found)
        longer = found.size / UPLOAD_BYTES_PER_SECOND
        within(PATIENCE_SECONDS, lambda: _fetch(found, aside), longer=longer, alive=server_answers)
        self._check_kind(found.name, aside)
        return f"{place}/{found.name}"

    def _check_kind(self, name: str, folder: Path) -> None:
        """A kind may be a user's own class, which is imported: only those that the experiment names itself."""
        if (folder / "model.json").is_file():
            kind = read_json(folder / "model.json").get("config", {}).get("kind")
            if kind not in self._kinds:
                raise TrackingError(f"{name} is of kind '{kind}', which the experiment does not name")


def check_entries(artifact: wandb.Artifact) -> None:
    """Check that an artifact holds plain files only, before any of it is downloaded.

    Raises:
        TrackingError: it holds a reference, a pickle, or a path that leads out of its folder.
    """
    for path, entry in artifact.manifest.entries.items():
        place = PurePosixPath(path)
        if entry.ref is not None:
            raise TrackingError(f"{artifact.name} refers to {path} instead of holding it")
        if place.is_absolute() or ".." in place.parts or "\\" in path or place.name == MANIFEST:
            raise TrackingError(f"{artifact.name} holds a file called {path}")
        if place.suffix.lower() in PICKLES:
            raise TrackingError(f"{artifact.name} holds {path}, which may be a pickle")


def _fetch(artifact: wandb.Artifact, folder: Path) -> None:
    for file in artifact.files():  # by wandb's own process, which can be ended; threads of `download` cannot
        file.download(str(folder)).close()
    artifact.verify(root=str(folder))  # raises ValueError if a digest differs

"""The store as the pipeline sees it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from distill.contracts import Progress
from distill.locks import locked
from distill.store.disk import explain_full_disk
from distill.store.folder import MEMO, MEMOS, Entry, StoreFolder, unwritable
from distill.store.hashes import HashMemory
from distill.store.manifest import DamageError
from distill.store.pruning import Pruned, prune
from distill.store.publish import publish
from distill.store.results import Results
from distill.store.sessions import Session


class Store:
    """A folder of results that several processes may share."""

    def __init__(self, root: Path, *, progress: Progress | None = None) -> None:
        """Open the store, making it where there is none.

        Args:
            root: the store's folder.
            progress: is told of damaged entries, and when another process is waited for.

        Raises:
            StoreError: the root is no folder, cannot be written, or its disk is full.
        """
        self.root = root.absolute()
        self._progress = progress
        self._folder = StoreFolder(self.root)
        self._folder.create()
        try:
            with explain_full_disk(self.root):
                self._session = Session(self._folder.sessions)
        except OSError as error:
            raise unwritable(self.root, error) from error
        self._results = Results(self._folder, self._session, self._note)
        self._hashes = HashMemory(self._folder.hashes, self._folder.lock("hashes"))
        self._making: list[Path] = []

    def close(self) -> None:
        """Tell the others that this process reads nothing from the store any more."""
        self._session.close()

    def holds(self, stage: str, key: str) -> bool:
        """Tell whether a result is there, by the sizes of its files: quick, for a plan. Changes nothing."""
        return self._results.holds(stage, key)

    def place(self, stage: str, key: str) -> Path:
        """Return where a result lies or will lie."""
        return self._folder.result(stage, key)

    def find(self, stage: str, key: str) -> Path | None:
        """Return a result's folder, every byte of it checked, or None.

        A damaged result is named to `progress` and removed, so that it is made again.

        Raises:
            StoreError: the disk is full, so that it cannot even be said that the result is in use.
        """
        if not self._folder.result(stage, key).is_dir():
            return None
        with explain_full_disk(self.root):
            return self._find(stage, key)

    def obtain(self, stage: str, key: str, name: str, produce: Callable[[Path, Path], None]) -> Path:
        """Return a result's folder, made by `produce` unless it is there.

        Where another process makes it right now, that one is waited for.

        Args:
            stage: the box of the flow.
            key: the fingerprint of everything that the result depends on.
            name: what it is, for people.
            produce: called with an empty folder for the result and one for checkpoints that survives a kill.

        Raises:
            StoreError: the disk is full. Whatever else `produce` raises passes through.
        """
        found = self.find(stage, key)
        if found is not None:
            return found
        lock, waiting = self._lock(stage, key), f"waiting for another process that makes {stage} {name}"
        with explain_full_disk(self.root), locked(lock, waiting=lambda: self._note(waiting)):
            found = self._results.read_or_remove(stage, key)
            return found or self._make(stage, key, name, produce)

    def memo(self, name: str, key: str, produce: Callable[[Path], None]) -> Path:
        """Return the folder of a side result, such as word vectors, filled by `produce` unless it is there.

        A result that is made meanwhile remembers the memo, so that `prune` keeps both or none.
        """
        if self._making:
            with (self._making[-1] / MEMOS).open("a", encoding="utf-8") as file:
                file.write(f"{key}\n")
        return self.obtain(MEMO, key, name, lambda result, _: produce(result))

    def content_hash(self, path: Path) -> str:
        """Return the sha256 of a file, or of the names and contents of all files below a folder.

        Raises:
            StoreError: there is nothing of that name, or it cannot be read; or the disk is full.
        """
        with explain_full_disk(self.root):
            return self._hashes.content_hash(path)

    def entries(self) -> list[Entry]:
        """Return everything in the store, by stage and key: finished results, then what is half done."""
        return list(self._folder.entries())

    def prune(
        self, keep: Collection[tuple[str, str]], held: Collection[Path] = (), *, dry_run: bool = False
    ) -> Pruned:
        """Remove every result and every half-done run that is not kept, unless another process uses it.

        Args:
            keep: stage and key of what experiments still need; memos that went into it are kept with it.
            held: files and folders of results that stay for another reason.
            dry_run: only tell what would be removed.
        """
        return prune(self._results, set(keep), held, dry_run=dry_run)

    def publish(self, experiment: str, places: Mapping[str, Path]) -> Path:
        """Show results under names for people, and remove names of an earlier call that are gone.

        Args:
            experiment: the experiment's name.
            places: relative name -> file or folder of a result.

        Returns:
            The folder of names: `root/experiments/<experiment>`.
        """
        folder = self._folder.experiment(experiment)
        lock = self._folder.lock(f"publish-{experiment}")
        with explain_full_disk(self.root), locked(lock, waiting=lambda: None):
            publish(folder, places)
        return folder

    def _find(self, stage: str, key: str) -> Path | None:
        lock = self._lock(stage, key)
        with locked(lock, shared=True) as got:
            if not got:
                return None  # somebody makes it anew, or takes it away
            try:
                return self._results.read(stage, key)
            except DamageError:
                pass
        with locked(lock) as got:
            return self._results.read_or_remove(stage, key) if got else None

    def _make(self, stage: str, key: str, name: str, produce: Callable[[Path, Path], None]) -> Path:
        self._making.append(self._folder.scratch(stage, key))
        try:
            return self._results.make(stage, key, name, produce)
        finally:
            self._making.pop()

    def _lock(self, stage: str, key: str) -> Path:
        return self._folder.lock(f"{stage}-{key}")

    def _note(self, text: str) -> None:
        if self._progress is not None:
            self._progress.note(text)

"""One run's figures, to its history file and then to wandb."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.contracts import Artifact
from distill.tracking.history import HistoryLog, plain

if TYPE_CHECKING:
    import wandb

UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class WandbLog:
    """Records in the history file first, so that no figure depends on wandb."""

    def __init__(
        self, history: HistoryLog, run: wandb.Run, *, online: bool, failed: Callable[[Exception], None]
    ) -> None:
        """Wrap an open run.

        Args:
            history: the run's history file.
            run: the run in wandb.
            online: whether a server can be asked for the artifacts that an artifact was made from.
            failed: is told of the first failure; after it, the run has its history file only.
        """
        self._history = history
        self._run: wandb.Run | None = run
        self._online = online
        self._failed = failed

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record values at an optimiser step; what a killed try has told wandb is not told twice."""
        self._history.metrics(values, step)
        if step > self._history.recorded_until:
            self._tell(lambda run: run.log({**values, "step": step}, step=step))

    def summary(self, values: Mapping[str, Any]) -> None:
        """Record what is final for the run."""
        self._history.summary(values)
        self._tell(lambda run: run.summary.update(plain(values)))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Record a table."""
        self._history.table(name, columns, rows)
        self._show(name, lambda: _table(columns, rows))

    def picture(self, name: str, path: Path) -> None:
        """Record a picture or a page."""
        self._history.picture(name, path)
        self._show(name, lambda: _picture(path))

    def artifact(self, artifact: Artifact) -> None:
        """Publish a folder; online, with an edge from each artifact that it was made from."""
        self._history.artifact(artifact)
        if self._online:
            self._tell(lambda run: self._link(run, artifact.uses))
        aliases = [safe_name(alias) for alias in artifact.aliases]
        self._tell(lambda run: run.log_artifact(_artifact(artifact), aliases=aliases))

    def rewind(self, step: int) -> None:
        """Go on after a step."""
        self._history.rewind(step)

    def _show(self, name: str, make: Callable[[], Any]) -> None:
        """Put a table or a picture beside the last step's figures, not on a step of its own."""
        step = self._history.step if self._history.step >= 0 else None
        self._tell(lambda run: run.log({name: make()}, step=step))

    @staticmethod
    def _link(run: wandb.Run, uses: Sequence[str]) -> None:
        """Record what the run reads; a name that the server does not know stays in the metadata alone."""
        import wandb

        for name in uses:
            try:
                run.use_artifact(_reference(name))
            except wandb.errors.CommError as error:
                if "not found" not in str(error):
                    raise

    def _tell(self, action: Callable[[wandb.Run], Any]) -> None:
        if self._run is None:
            return
        try:
            action(self._run)
        except Exception as error:  # noqa: BLE001 - whatever happens in wandb, the run goes on
            self._run = None
            self._failed(error)


def safe_name(name: str) -> str:
    """Return a name as wandb allows it for artifacts: `textcnn/kd/seed0` becomes `textcnn-kd-seed0`."""
    return UNSAFE.sub("-", name)


def _reference(name: str) -> str:
    return name if ":" in name else f"{safe_name(name)}:latest"


def _artifact(artifact: Artifact) -> wandb.Artifact:
    import wandb

    metadata = plain({**artifact.metadata, "uses": artifact.uses})
    made = wandb.Artifact(safe_name(artifact.name), artifact.type, metadata=metadata)
    # immutable: read where it lies, in the store, instead of copying every checkpoint once more
    made.add_dir(str(artifact.folder), policy="immutable")
    return made


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> wandb.Table:
    import wandb

    return wandb.Table(columns=list(columns), data=[plain(row) for row in rows], allow_mixed_types=True)


def _picture(path: Path) -> wandb.Image | wandb.Html:
    import wandb

    return wandb.Html(str(path)) if path.suffix == ".html" else wandb.Image(str(path))

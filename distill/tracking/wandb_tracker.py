"""The runs of an experiment in wandb. Whatever the SDK or its server does, training goes on."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.contracts import Progress, RunLog
from distill.tracking.history import HistoryLog, plain
from distill.tracking.patience import within
from distill.tracking.redaction import redacted
from distill.tracking.wandb_log import WandbLog
from distill.tracking.wandb_settings import (
    Mode,
    environment,
    first_line,
    resolve_mode,
    run_settings,
    stop_service,
)

if TYPE_CHECKING:
    import wandb

FINISH_SECONDS = 20.0
"""The longest wait at the end of a run: wandb's own limit does not hold with a server that is silent."""


@dataclass(frozen=True)
class Project:
    """Where runs belong in wandb."""

    name: str
    entity: str | None
    experiment: str
    tags: tuple[str, ...]


class WandbTracker:
    """Opens a wandb run for each box of the flow.

    After the first failure the run at hand goes on with its history file alone, and later runs are kept
    offline, so that a server that is away costs seconds once, not for every run.
    """

    def __init__(self, project: Project, folder: Path, wanted: Mode, progress: Progress) -> None:
        self._project = project
        self._folder = folder
        self._wanted = wanted
        self._mode: Mode | None = None
        self._progress = progress
        self._told = False
        self._kept_offline = 0
        self._unfinished: list[Path] = []

    @contextmanager
    def run(
        self, *, name: str, job_type: str, key: str, config: Mapping[str, Any], history: Path
    ) -> Iterator[RunLog]:
        """Open the run of that name; the same key continues the same run."""
        with closing(HistoryLog(history)) as log, environment(self._folder):
            run = self._open(name, job_type, key, config)
            if run is None:
                yield log
                return
            lost = self._loses(run)
            exit_code = 1
            try:
                yield WandbLog(log, run, online=self._mode == "online", failed=lost)
                exit_code = 0
            finally:
                self._finish(run, exit_code, lost)

    def close(self) -> str:
        """Stop wandb's service; return how to send what the server has not got, or nothing."""
        if self._mode is None:
            return ""
        with environment(self._folder):
            stop_service()
        lines = []
        if self._kept_offline:
            runs = f"{shlex.quote(str(self._folder / 'wandb'))}/offline-run-*"
            lines.append(f"wandb: runs kept offline: {self._kept_offline}; to send them: wandb sync {runs}")
        if self._unfinished:
            runs = " ".join(shlex.quote(str(place)) for place in self._unfinished)
            lines.append(
                "wandb: not everything of these runs may have arrived; "
                f"to send what is missing: wandb sync --include-online {runs}"
            )
        return "\n".join(lines)

    def _open(self, name: str, job_type: str, key: str, config: Mapping[str, Any]) -> wandb.Run | None:
        """Return the run, offline where online fails; None without wandb, or where wandb itself fails."""
        if self._mode is None:
            self._mode = self._attempt(lambda: resolve_mode(self._wanted)) or "disabled"
            if self._wanted == "online" and self._mode == "offline":
                self._tell(
                    "wandb: there is no key (WANDB_API_KEY or `wandb login`), or WANDB_MODE says offline: "
                    "runs are kept offline"
                )
        run: wandb.Run | None = None
        if self._mode == "online":
            run = self._attempt(lambda: self._init(name, job_type, key, config))
            if run is None:
                stop_service()  # it holds the id of the run that could not be opened
        if run is None and self._mode == "offline":
            run = self._attempt(lambda: self._init(name, job_type, key, config))
            self._kept_offline += run is not None
        return run

    def _init(self, name: str, job_type: str, key: str, config: Mapping[str, Any]) -> wandb.Run:
        import wandb

        project, settings = self._project, run_settings(self._folder, self._mode or "offline")
        run = wandb.init(
            project=project.name,
            entity=project.entity,
            group=project.experiment,
            tags=list(project.tags),
            id=f"{job_type}-{key[:32]}",
            name=name,
            job_type=job_type,
            config=plain(redacted({"fingerprint": key, **config})),
            resume="allow",
            settings=settings,
        )
        run.define_metric("*", step_metric="step")
        return run

    def _finish(self, run: wandb.Run, exit_code: int, lost: Callable[[Exception], None]) -> None:
        try:
            within(FINISH_SECONDS, lambda: run.finish(exit_code))
        except Exception as error:  # noqa: BLE001 - whatever happens in wandb, the experiment goes on
            lost(error)

    def _loses(self, run: wandb.Run) -> Callable[[Exception], None]:
        """Return what to call when a run fails: `close` then names its folder, to send what is missing."""
        folder, online = Path(run.dir).parent, self._mode == "online"

        def lost(error: Exception) -> None:
            if online and folder not in self._unfinished:
                self._unfinished.append(folder)
            self._failed(error)

        return lost

    def _attempt(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - whatever happens in wandb, the experiment goes on
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        """Keep later runs offline, and say so once."""
        reason = first_line(error)
        if self._mode == "online":
            self._mode = "offline"
        self._tell(
            f"wandb failed ({reason}): the history files have every figure, later runs are kept offline"
        )

    def _tell(self, text: str) -> None:
        if not self._told:
            self._progress.note(text)
            self._told = True

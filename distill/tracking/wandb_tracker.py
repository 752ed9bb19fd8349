"""The runs of an experiment in wandb. Whatever the SDK or its server does, training goes on."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

from distill.contracts import BoxLog, Progress, Recorded, RunFacts
from distill.errors import TrackingError
from distill.tracking.access import Mode, resolve_mode
from distill.tracking.journal import Journal, ending, read_recorded
from distill.tracking.journals import Journals, Project
from distill.tracking.live_run import LiveRun
from distill.tracking.sync import synchronise
from distill.tracking.wandb_runs import open_run, server_answers
from distill.tracking.wandb_settings import environment, first_line, server, stop_service

AWAY_SECONDS = 300.0
"""How long nobody asks a server that has failed."""


class WandbTracker:
    """Keeps a journal of each box of the flow and shows it in wandb while it runs.

    After the first failure the run at hand goes on with its journal alone, and so do later runs until the server
    answers again, which is tried now and then: a server that is away costs seconds, not for every run. `close` sends
    what it has not got, or else `distill sync` does.
    """

    def __init__(self, project: Project, store_root: Path, wanted: Mode, progress: Progress) -> None:
        self._project, self._journals = project, Journals(store_root)
        self._folder = store_root / "wandb"
        self._wanted = wanted
        self._mode: Mode | None = None
        self._progress = progress
        self._told = False
        self._failed_at: float | None = None

    @contextmanager
    def run(self, facts: RunFacts, *, live: bool = True) -> Iterator[BoxLog]:
        """Open a run; in wandb too if it is to be seen live and the server can be reached."""
        with self._journals.open(self._project, facts) as journal:
            with environment(self._folder):
                self._choose_mode(journal.path)
            if not live or self._mode != "online":
                with ending(journal):
                    yield journal
                return
            with environment(self._folder), self._sent_live(journal):
                yield journal

    def recorded(self, facts: RunFacts) -> Recorded:
        """Return what is recorded of a run already."""
        return read_recorded(self._journals.path(self._project, facts))

    def close(self) -> str:
        """Send what the server has not got; return how to send the rest later, or nothing."""
        if self._mode is None:
            return ""
        with environment(self._folder):
            self._came_back()
            if self._mode == "online":
                self._attempt(self._send_unsent)
            stop_service()
        unsent = self._journals.unsent(self._project.experiment)
        if not unsent or self._mode == "disabled":
            return ""
        store = shlex.quote(str(self._folder.parent))
        return f"wandb: runs still to be sent: {len(unsent)}; to send them: distill sync --store {store}"

    def address(self) -> str:
        """Return the page of the experiment's runs, or nothing."""
        return self._journals.address(self._project.experiment)

    def _choose_mode(self, path: Path) -> None:
        """Go online if that is wanted and possible; the server first gets what a run may be made from.

        Args:
            path: the run's journal.
        """
        if self._mode is None:
            self._mode = self._attempt(lambda: resolve_mode(self._wanted)) or "disabled"
            self._tell_of_missing_key()
            begins = self._mode == "online"
        else:
            begins = self._came_back()
        if begins:
            self._attempt(lambda: self._send_unsent(before=path))

    def _came_back(self) -> bool:
        """Go online again if the server that has failed a while ago answers now."""
        if self._failed_at is None or time.monotonic() - self._failed_at < AWAY_SECONDS:
            return False
        if not self._attempt(server_answers):
            self._failed_at = time.monotonic()
            return False
        self._mode, self._failed_at = "online", None
        return True

    def _send_unsent(self, before: Path | None = None) -> None:
        """Send what the server has not got, in the order of the flow; what is being written is left alone.

        Args:
            before: a journal; it and what may be made from it are left alone too.
        """
        unsent = self._journals.unsent(self._project.experiment, server())
        wanted = list(takewhile(lambda path: path != before, unsent))
        for number, path in enumerate(wanted):
            self._progress.advance(number, len(wanted), "runs sent to wandb")
            try:
                synchronise(path, self._folder)
            except TrackingError as error:  # of this run alone; the server is well
                self._tell(f"wandb: {first_line(error)}")
            except Exception:
                stop_service()  # it holds the id of the run
                raise

    @contextmanager
    def _sent_live(self, journal: Journal) -> Iterator[None]:
        run = self._attempt(lambda: open_run(journal.about, self._folder))
        if run is None:
            stop_service()  # it holds the id of the run that could not be opened
            with ending(journal):
                yield
            return
        live = LiveRun(run, journal, self._folder, self._failed)
        journal.send = live.send
        try:
            with ending(journal):
                yield
        finally:
            live.finish()

    def _attempt(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - whatever happens in wandb, the experiment goes on
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        """Keep later runs to their journals for a while, and say so once."""
        if self._mode == "online":
            self._mode, self._failed_at = "offline", time.monotonic()
        self._tell(f"wandb failed ({first_line(error)}): the journals have everything, to be sent later")

    def _tell_of_missing_key(self) -> None:
        if self._wanted == "online" and self._mode == "offline":
            self._tell(
                "wandb: there is no key (WANDB_API_KEY or `wandb login`), or WANDB_MODE says offline: "
                "runs are kept offline"
            )

    def _tell(self, text: str) -> None:
        if not self._told:
            self._progress.note(text)
            self._told = True

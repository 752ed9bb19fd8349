"""The runs of an experiment in wandb. Whatever the SDK or its server does, training goes on."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.contracts import BoxLog, Progress, Recorded, RunFacts
from distill.errors import TrackingError
from distill.tracking.access import Mode, resolve_mode
from distill.tracking.journal import Journal, ending, read_journal, read_recorded
from distill.tracking.journals import Journals, Project, is_private
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
                if self._mode is None:
                    self._mode = self._attempt(lambda: resolve_mode(self._wanted)) or "disabled"
                    self._tell_of_missing_key()
                    if (
                        self._mode == "online"
                    ):  # what earlier processes could not send is what runs are made from
                        self._attempt(self._send_the_rest)
                self._look_for_the_server()
            if not live or self._mode != "online":
                with ending(journal):
                    yield journal
                return
            with environment(self._folder), self._sent_live(journal):
                yield journal

    def recorded(self, facts: RunFacts) -> Recorded:
        """Return what is recorded of a run already; one that was kept from wandb is not finished any more."""
        path = self._journals.path(self._project, facts)
        recorded = read_recorded(path)
        return replace(recorded, finished=recorded.finished and not is_private(read_journal(path)[0]))

    def close(self) -> str:
        """Send what the server has not got; return how to send the rest later, or nothing."""
        if self._mode is None:
            return ""
        with environment(self._folder):
            self._look_for_the_server()
            if self._mode == "online":
                self._attempt(self._send_the_rest)
            stop_service()
        unsent = self._journals.unsent(self._project.experiment)
        if not unsent or self._mode == "disabled":
            return ""
        store = shlex.quote(str(self._folder.parent))
        return f"wandb: runs still to be sent: {len(unsent)}; to send them: distill sync --store {store}"

    def address(self) -> str:
        """Return the page of the experiment's runs, or nothing."""
        return self._journals.address(self._project.experiment)

    def _send_the_rest(self) -> None:
        """Send what the server has not got, in the order of the flow; what is being written is left alone."""
        unsent = self._journals.unsent(self._project.experiment, server())
        for number, path in enumerate(unsent):
            self._progress.advance(number, len(unsent), "runs sent to wandb")
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

    def _look_for_the_server(self) -> None:
        """Go online again if the server that has failed a while ago answers now, and takes what it has not got."""
        if self._failed_at is None or time.monotonic() - self._failed_at < AWAY_SECONDS:
            return
        if self._attempt(server_answers):
            self._mode, self._failed_at = "online", None
            self._attempt(self._send_the_rest)
        else:
            self._failed_at = time.monotonic()

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

"""A run that wandb shows while it goes on. Its first failure ends the showing, never the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from distill.tracking.best import crown
from distill.tracking.delivery import Delivery
from distill.tracking.journal import Journal, Line, read_journal
from distill.tracking.journals import write_receipt
from distill.tracking.media import heal
from distill.tracking.wandb_runs import finish, place_of, send_patiently
from distill.tracking.wandb_settings import stop_service

if TYPE_CHECKING:
    import wandb


class LiveRun:
    """Sends each line of a journal as it is written."""

    def __init__(
        self, run: wandb.Run, journal: Journal, folder: Path, failed: Callable[[Exception], None]
    ) -> None:
        """Wrap an open run.

        Args:
            run: the run.
            journal: its journal.
            folder: where wandb keeps its files.
            failed: is told of the first failure.
        """
        self._folder = folder
        self._run, self._journal, self._failed = run, journal, failed
        self._delivery = Delivery(run, journal.path.parent, on_published=crown)
        self._is_well = True
        self._exit_code = 1

    def send(self, line: Line, row: int, at: Path | None) -> None:
        """Send a line, unless one has failed before: rows arrive without a gap or not at all."""
        if line["event"] == "end":
            self._exit_code = line["exit_code"]
        self._try(lambda: send_patiently(self._delivery, line, row, at))

    def finish(self) -> None:
        """End the run; what has all arrived gets a receipt."""
        place: dict[str, str] = {}
        self._try(lambda: place.update(place_of(self._run)))
        self._try(lambda: finish(self._run, self._exit_code))
        # wandb says nothing of a picture that was lost on the way
        self._try(self._heal)
        self._try(lambda: write_receipt(self._journal.path, place))
        if not self._is_well:
            stop_service()

    def _heal(self) -> None:
        about, lines = read_journal(self._journal.path)
        heal(f"{self._run.entity}/{self._run.project}", about["id"], self._journal.path, lines, self._folder)

    def _try(self, action: Callable[[], None]) -> None:
        if not self._is_well:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001 - whatever happens in wandb, the run goes on
            self._is_well = False
            self._failed(error)

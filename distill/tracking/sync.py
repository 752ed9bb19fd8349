"""Brings a journal to wandb: what the server has not got, once, and then checks that it has everything."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from distill.errors import TrackingError
from distill.locks import locked
from distill.tracking.access import public_api, require_access
from distill.tracking.best import crown
from distill.tracking.delivery import Delivery, safe_name
from distill.tracking.journal import ROWS, Line, read_journal, settled
from distill.tracking.journals import Journals, has_receipt, is_private, lock_of, write_receipt
from distill.tracking.media import heal
from distill.tracking.patience import within
from distill.tracking.wandb_runs import finish, open_run, place_of, send_patiently
from distill.tracking.wandb_settings import environment, first_line, server, stop_service

SETTLE_SECONDS = 10.0
"""How long a server may take to show what it has taken."""
FINAL_SECONDS = 20.0
"""How long it may take to answer, in all."""

State: TypeAlias = Literal["sent", "there", "private", "running", "failed"]


@dataclass(frozen=True)
class Synchronised:
    """What became of one run."""

    name: str
    job_type: str
    state: State
    detail: str


def sync_store(store_root: Path, experiment: str = "*") -> Iterator[Synchronised]:
    """Send what a server has not got of a store's runs; what one of them lacks does not keep back the others.

    Args:
        store_root: the store.
        experiment: whose runs; `*` takes all but those that `mode: disabled` keeps from wandb.

    Raises:
        TrackingError: there is nothing to send, no key, or no server.
    """
    journals = Journals(store_root)
    paths = journals.all(experiment)
    if not paths:
        known = ", ".join(sorted({path.parent.name for path in journals.all()})) or "none"
        raise TrackingError(
            f"{journals.folder}: no run of that experiment is recorded (experiments: {known})"
        )
    folder = store_root.absolute() / "wandb"
    with environment(folder):
        try:
            require_access()
            for path in paths:
                yield _synchronised(path, folder, of_all=experiment == "*")
        finally:
            stop_service()


def _synchronised(path: Path, folder: Path, *, of_all: bool) -> Synchronised:
    about = {"name": path.name, "job_type": "", **read_journal(path)[0]}
    state: State
    try:
        if of_all and is_private(about):
            state = "private"
            detail = f"runtime.wandb.mode is 'disabled'; to send it: distill sync {about['group']}"
        else:
            state, detail = synchronise(path, folder)
    except TrackingError as error:
        state, detail = "failed", str(error)
    except Exception as error:  # noqa: BLE001 - the SDK raises what it likes; the other runs are tried too
        stop_service()
        state, detail = "failed", first_line(error)
    return Synchronised(about["name"], about["job_type"], state, detail)


def synchronise(path: Path, folder: Path) -> tuple[State, str]:
    """Send what the server has not got of a journal, unless somebody is writing or sending it.

    Args:
        path: the journal.
        folder: where wandb keeps its files.

    Returns:
        What became of it, and more of that in words.

    Raises:
        TrackingError: the server does not have everything afterwards; the message says what it lacks.
    """
    with locked(lock_of(path)) as got:
        if not got:
            return "running", "another process writes it; give the command again when that has ended"
        about, written = read_journal(path)
        if not about or has_receipt(path, server()):
            return "there", "nothing to send"
        lines = settled(written)
        artifacts = sum(line["event"] == "artifact" for line in lines)
        return "sent", f"{_bring(path, about, lines, folder)} rows, {artifacts} artifacts"


def _bring(path: Path, about: Mapping[str, Any], lines: Sequence[Line], folder: Path) -> int:
    """Send a journal's lines, check that they have arrived, and return how many rows had to be sent."""
    run = open_run(about, folder)
    place = place_of(run)
    delivery = Delivery(run, path.parent, on_published=crown)
    try:
        _send(delivery, lines)
    except BaseException:
        with suppress(Exception):
            finish(run, 1)
        raise
    finish(run, _exit_code(lines))
    heal(place["project"], about["id"], path, lines, folder)
    within(SETTLE_SECONDS + FINAL_SECONDS, lambda: check(place["project"], about["id"], lines))
    write_receipt(path, place)
    return delivery.rows_sent


def _send(delivery: Delivery, lines: Sequence[Line]) -> None:
    row = 0
    for line in lines:
        send_patiently(delivery, line, row, None)
        row += line["event"] in ROWS


def check(place: str, run_id: str, lines: Sequence[Line]) -> None:
    """Read a run back.

    Args:
        place: `entity/project`.
        run_id: the run.
        lines: its journal.

    Raises:
        TrackingError: the server has not got everything, or something twice.
    """
    until = time.monotonic() + SETTLE_SECONDS
    while lacks := _lacks(place, run_id, lines):
        if time.monotonic() > until:
            raise TrackingError(f"{place}/{run_id}: {'; '.join(lacks)}")
        time.sleep(0.5)


def _lacks(place: str, run_id: str, lines: Sequence[Line]) -> list[str]:
    api = public_api()
    run = api.run(f"{place}/{run_id}")
    wanted = sum(line["event"] in ROWS for line in lines)
    found = len(run.history(samples=max(10 * wanted, 1000), pandas=False)) if wanted else 0
    lacks = [] if found == wanted else [f"the server has {found} rows, the journal {wanted}"]
    lacks += [f"the summary lacks {key}" for key in _final(lines) if key not in run.summary]
    for line in lines:
        if line["event"] == "artifact":
            name = f"{safe_name(line['name'])}:{safe_name(line['aliases'][0])}"
            if not api.artifact_exists(f"{place}/{name}", line["type"]):
                lacks.append(f"the server lacks the artifact {name}")
    return lacks


def _final(lines: Sequence[Line]) -> Mapping[str, Any]:
    return {
        key: value for line in lines if line["event"] == "summary" for key, value in line["values"].items()
    }


def _exit_code(lines: Sequence[Line]) -> int:
    """Return how the run ended; one that was killed did not say."""
    return next((line["exit_code"] for line in reversed(lines) if line["event"] == "end"), 1)

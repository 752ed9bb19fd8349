"""The run that a sweep's agent has named, held open by a process of its own while the setting is tried.

Of its own, since the boxes of the flow have runs as well, and wandb takes every run of a process that an agent has
started for the agent's one. Where the holder's input ends without a result, as it does when the process that tries
the setting is killed, the run has failed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from distill.errors import TrackingError
from distill.tracking.patience import within
from distill.tracking.wandb_runs import PATIENCE_SECONDS, finish
from distill.tracking.wandb_settings import SWEEP, environment, first_line, run_settings, stop_service

if TYPE_CHECKING:
    import wandb

OPEN, DONE = "open", "done"
END_SECONDS = 60.0
"""How long the holder may take to end: more than all its own limits together."""


def agents_sweep() -> str:
    """Return the id of the sweep whose agent has started this process.

    Raises:
        TrackingError: none has.
    """
    missing = [name for name in SWEEP if name not in os.environ]
    if missing:
        raise TrackingError(
            f"sweep-run: {missing[0]} is not set; it is for agents, start one with `distill sweep FILE --join SWEEP`"
        )
    return os.environ["WANDB_SWEEP_ID"]


@contextmanager
def sweep_run(about: Mapping[str, Any], folder: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Hold the agent's run open; yields what takes the setting's result. A block that gives none has failed.

    Args:
        about: `group`, `name`, `tags` and `config` of the run; wandb adds what the sweep has set.
        folder: where wandb may write.

    Raises:
        TrackingError: the run cannot be opened, or the result did not reach the server.
    """
    command = [sys.executable, "-m", __name__, str(folder)]
    # a session of its own: a signal to this one is answered here, and the holder then sees its input end
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as holder:
        assert holder.stdin is not None  # noqa: S101 - for mypy: both are pipes
        assert holder.stdout is not None  # noqa: S101
        _order(holder.stdin, about)
        try:
            _expect(OPEN, holder.stdout, "be opened")
            yield lambda summary: _order(holder.stdin, summary)
        finally:
            with suppress(BrokenPipeError):
                holder.stdin.close()
            _end(holder)
        _expect(DONE, holder.stdout, "be told its result")


def _order(orders: IO[str] | None, content: Mapping[str, Any]) -> None:
    with suppress(BrokenPipeError):  # it has ended; its last answer tells why
        if orders is not None:
            orders.write(json.dumps(dict(content)) + "\n")
            orders.flush()


def _expect(wanted: str, answers: IO[str], what: str) -> None:
    answer = answers.readline().strip()
    if answer != wanted:
        raise TrackingError(f"wandb: the sweep's run could not {what} ({answer or 'its process has ended'})")


def _end(holder: subprocess.Popen[str]) -> None:
    try:
        holder.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        holder.kill()


def hold(orders: IO[str], answers: IO[str], folder: Path) -> None:
    """Open the run, wait for its result and end it.

    Args:
        orders: a line that says what the run is, then, if all goes well, one with its result.
        answers: is told when the run is open and when it has ended, or what went wrong.
        folder: where wandb may write.
    """
    about = json.loads(orders.readline())
    try:
        with environment(folder, of_agent=True):
            run = _open(about, folder)
            _answer(answers, OPEN)
            result = _result(orders)
            if result:
                run.summary.update(json.loads(result))
            finish(run, 0 if result else 1)
        _answer(answers, DONE)
    except Exception as error:  # noqa: BLE001 - told to the other process, which tells the user
        _answer(answers, first_line(error))
    finally:
        stop_service()


def _answer(answers: IO[str], text: str) -> None:
    with suppress(BrokenPipeError):  # the other process was killed: the run is ended all the same
        answers.write(f"{text}\n")
        answers.flush()


def _result(orders: IO[str]) -> str:
    """Return the line with the result; none where the other process was killed, or somebody has stopped the run."""
    try:
        return orders.readline()
    except KeyboardInterrupt:  # how wandb tells of the stop button; the agent stops the setting
        return ""


def _open(about: Mapping[str, Any], folder: Path) -> wandb.Run:
    import wandb

    # id, project and sweep are in the agent's variables, the sweep's values in a file that they name
    return within(
        PATIENCE_SECONDS,
        lambda: wandb.init(**about, job_type="sweep", settings=run_settings(folder)),
    )


if __name__ == "__main__":
    hold(sys.stdin, sys.stdout, Path(sys.argv[1]))

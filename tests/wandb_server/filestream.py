"""The file stream: history, summary, console and signs of life of a run that is being written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from wandb_server.records import Run
from wandb_server.state import State, now

NOTED_ELSEWHERE = {"files", "complete", "exitcode", "uploaded", "dropped"}


def take_stream(state: State, run: Run, message: Mapping[str, Any]) -> dict[str, Any]:
    """Take one message of wandb-core; a message without content is a sign of life.

    Lines are put where the message says that they belong: one that comes twice does no harm.

    Args:
        state: notes what is not known.
        run: the run that is written.
        message: its `files` are lines by file name, each from an `offset`.

    Returns:
        What wandb-core should know: whether somebody has stopped the run.
    """
    for name, part in (message.get("files") or {}).items():
        _take_lines(state, run, name, part.get("offset", 0), part.get("content") or [])
    state.unknown |= {f"file stream: {key}" for key in message if key not in NOTED_ELSEWHERE}
    run.seen, run.heartbeat_at = time.monotonic(), now()
    if message.get("complete"):
        run.exit_code = message.get("exitcode") or 0
        run.state = "failed" if run.exit_code else "finished"
    elif run.state == "pending":
        run.state = "running"
    return {"exitcode": None, "limits": {}, "stopped": run.stopped}


def _take_lines(state: State, run: Run, name: str, offset: int, lines: list[str]) -> None:
    if name == "wandb-summary.json":
        run.summary = lines[-1] if lines else run.summary
        return
    files = {"wandb-history.jsonl": run.history, "wandb-events.jsonl": run.events, "output.log": run.console}
    if name not in files:
        state.unknown.add(f"file stream: {name}")
        return
    kept = files[name]
    kept.extend([""] * (offset - len(kept)))
    kept[offset : offset + len(lines)] = lines

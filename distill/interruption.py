"""SIGTERM and Ctrl-C: what is half done is saved first, and everything else stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from distill.errors import InterruptedRunError

_state = {"deferred": False, "requested": False}


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `InterruptedRunError` within the block. Main thread only."""
    before = {number: signal.signal(number, _on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    _state["requested"] = False
    try:
        yield
    finally:
        _state["requested"] = False
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Hold an interruption back within the block; yields what tells whether one was asked for.

    The block saves its work and raises `InterruptedRunError` itself; if it does not, that happens at its end.
    """
    _state["deferred"] = True
    try:
        yield lambda: _state["requested"]
    finally:
        _state["deferred"] = False
    if _state["requested"]:
        raise InterruptedRunError


def _on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    _state["requested"] = True
    if not _state["deferred"]:
        raise InterruptedRunError

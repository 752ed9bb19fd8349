"""SIGTERM and Ctrl-C: what is half done is saved first, and everything else stops at once."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from distill.errors import InterruptedRunError

_state = {"deferred": False, "requested": False}


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGINT into `InterruptedRunError` within the block. Main thread only.

    Whatever else comes out of the block once one has come is taken for its consequence: libraries wrap errors.
    """
    before = {number: signal.signal(number, _on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    hook = sys.unraisablehook
    sys.unraisablehook = lambda found: None if found.exc_type is InterruptedRunError else hook(found)
    _state["requested"] = False
    try:
        yield
    except BaseException as error:
        if _state["requested"]:
            raise InterruptedRunError from error
        raise
    finally:
        _state["requested"] = False
        sys.unraisablehook = hook
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


def stop_if_asked() -> None:
    """Raise an interruption again that somebody has swallowed.

    One that comes while Python runs a destructor is dropped, and a library may catch everything.

    Raises:
        InterruptedRunError: the process was asked to stop.
    """
    if _state["requested"] and not _state["deferred"]:
        raise InterruptedRunError


def _on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    _state["requested"] = True
    if not _state["deferred"]:
        raise InterruptedRunError

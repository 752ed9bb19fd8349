"""Waits for something that may never come back, but not for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(
    seconds: float,
    action: Callable[[], T],
    *,
    longer: float = 0.0,
    alive: Callable[[], bool] = bool,
) -> T:
    """Return what `action` returns; one that takes too long is given up, and its thread lingers until the process ends.

    Args:
        seconds: how long it may take.
        action: what is done, in a thread of its own.
        longer: how many seconds more it may take as long as the other side is alive.
        alive: tells whether the other side still answers; asked again and again after `seconds`.

    Raises:
        TimeoutError: it took too long. Whatever `action` raises passes through.
    """
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(action())
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            failures.append(error)

    begun = time.monotonic()
    thread = threading.Thread(target=run, daemon=True, name="distill-patience")
    thread.start()
    thread.join(seconds)
    while thread.is_alive() and time.monotonic() - begun < seconds + longer and alive():
        thread.join(1.0)
    if thread.is_alive():
        waited = max(seconds, (time.monotonic() - begun) // 1)
        raise TimeoutError(f"no answer within {waited:g} seconds")
    if failures:
        raise failures[0]
    return results[0]

"""Waits for something that may never come back, but not for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def within(seconds: float, action: Callable[[], Any]) -> None:
    """Run `action`, and give it up when it takes too long: its thread then lingers until the process ends.

    Raises:
        TimeoutError: it took longer than `seconds`. Whatever `action` raises passes through.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - handed to the caller below
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True, name="distill-patience")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:g} seconds")
    if failures:
        raise failures[0]

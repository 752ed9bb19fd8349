"""How machines are told apart: speed that was measured on two of them is never compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe_machine(machine: Mapping[str, Any]) -> str:
    """Return a machine in words; two that are described alike count as one.

    Memory is rounded: a virtual machine has some megabytes more or less after each start.

    Args:
        machine: what `distill.hardware.Hardware` holds, as it comes back from the server.
    """
    words = [str(machine.get("processor") or "unknown processor"), f"threads: {machine.get('threads', '?')}"]
    if cores := machine.get("logical_cores"):
        words.append(f"{cores} cores")
    if memory := machine.get("memory_bytes"):
        words.append(f"{memory / 2**30:.0f} GiB")
    if system := machine.get("system"):
        words.append(str(system))
    return ", ".join(words)

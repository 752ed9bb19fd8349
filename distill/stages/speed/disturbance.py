"""Whether something else had the processor while a block was timed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import psutil

PROCESSOR_TIMES = Path("/proc/stat")
STEAL_COLUMN = 8
TICKS_PER_SECOND = 100
"""Linux counts processor times in hundredths of a second, whatever the kernel's own clock."""

MOST_STEAL = 0.01
"""Share of a block's time that the hypervisor may take, of all processors together."""
MOST_SWITCHES = 20
"""Involuntary context switches a second: a quiet machine has a few, a busy one hundreds."""


@dataclass(frozen=True)
class Moment:
    """The clock, and what has been taken from this process so far."""

    seconds: float
    stolen_seconds: float
    switches: int

    @classmethod
    def now(cls) -> Moment:
        """Read all three; what the system does not count is 0."""
        switches = psutil.Process().num_ctx_switches().involuntary
        return cls(time.perf_counter(), _stolen_seconds(), switches)

    def disturbed(self, later: Moment) -> bool:
        """Tell whether what was timed from this moment to the later one is contaminated."""
        seconds = later.seconds - self.seconds
        stolen = later.stolen_seconds - self.stolen_seconds
        return stolen > MOST_STEAL * seconds or later.switches - self.switches > MOST_SWITCHES * seconds


def _stolen_seconds() -> float:
    try:
        first = PROCESSOR_TIMES.read_text(encoding="ascii").split("\n", 1)[0]
    except OSError:
        return 0.0
    columns = first.split()
    return int(columns[STEAL_COLUMN]) / TICKS_PER_SECOND if len(columns) > STEAL_COLUMN else 0.0

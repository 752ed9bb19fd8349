"""Times two training loops against each other: they take turns, so that whatever else slows the machine meets both."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import torch
from scipy.stats import binom

from distill.contracts import Objective, Targets
from distill.training.module import LOG_EVERY

BLOCK = LOG_EVERY
"""Steps that are timed together: one line of the curves falls into each block."""
WARM_UP = 2
"""Blocks in which memory is taken for the first time."""

Loop = Callable[[Objective], None]


def compare(first: Loop, second: Loop, objective: Callable[[], Objective]) -> tuple[list[float], list[float]]:
    """Run two loops in turns of one block; return seconds a step of each, a value for each block.

    Args:
        first: trains with the objective that it is given.
        second: trains on the same batches.
        objective: makes one.
    """
    turns = Turns()
    clocks = [Clock(objective(), turns, who) for who in (0, 1)]

    def take_part(who: int, loop: Loop) -> None:
        torch.set_num_threads(1)
        try:
            loop(clocks[who])
        finally:
            turns.leave(who)

    # both in threads of their own: the main thread's memory is managed in another way, and dearer
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(take_part, who, loop) for who, loop in enumerate((first, second))]:
            done.result()
    return clocks[0].seconds_per_step, clocks[1].seconds_per_step


def describe(first: list[float], second: list[float]) -> str:
    """Return medians, and by how much the second is dearer: median, its 95 % interval, and the blocks' quartiles."""
    ratios = sorted(100 * (b / a - 1) for a, b in zip(first, second, strict=True))
    low, middle, high = statistics.quantiles(ratios, n=4)
    # the median lies between these two order statistics 95 times of 100, whatever the blocks' distribution
    least = int(binom.ppf(0.025, len(ratios), 0.5))
    return (
        f"{1e3 * statistics.median(first):10.2f} {1e3 * statistics.median(second):10.2f}   "
        f"{middle:5.1f} % ({ratios[max(least - 1, 0)]:.1f} to {ratios[-max(least, 1)]:.1f}) "
        f"[{low:.1f}, {high:.1f}] of {len(ratios)}"
    )


class Turns:
    """Lets one of two loops run at a time."""

    def __init__(self) -> None:
        self._arrived = threading.Barrier(2)
        self._may_run = (threading.Event(), threading.Event())

    def begin(self, who: int) -> None:
        """Wait until both loops are ready; the first one goes on."""
        self._arrived.wait()
        if who == 1:
            self._may_run[1].wait()

    def hand_over(self, who: int) -> None:
        """Let the other one run, and wait for one's own turn."""
        self._may_run[who].clear()
        self._may_run[1 - who].set()
        self._may_run[who].wait()

    def leave(self, who: int) -> None:
        """Let the other one run for good."""
        self._may_run[1 - who].set()


class Clock:
    """An objective that is asked once in each step, at the same place of both loops: there it times, and hands over."""

    def __init__(self, objective: Objective, turns: Turns, who: int) -> None:
        self._objective, self._turns, self._who = objective, turns, who
        self._steps, self._begun = 0, 0.0
        self.seconds_per_step: list[float] = []

    def __call__(self, student_logits: torch.Tensor, targets: Targets) -> Mapping[str, torch.Tensor]:
        """Pass the terms through."""
        if self._steps == 0:
            self._turns.begin(self._who)
        elif self._steps % BLOCK == 0:
            if self._steps > WARM_UP * BLOCK:
                self.seconds_per_step.append((time.perf_counter() - self._begun) / BLOCK)
            self._turns.hand_over(self._who)
            self._begun = time.perf_counter()
        self._steps += 1
        return self._objective(student_logits, targets)

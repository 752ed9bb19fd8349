"""Agents of a sweep on this machine: wandb's own, each a process, started so that its runs find everything."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from distill.dashboard.sweep_settings import EXPERIMENT, PYTHON, STORE
from distill.tracking.wandb_settings import environment

NOISE = re.compile(r" - wandb\.wandb_agent - |^wandb: Starting wandb agent|^\t[\w.-]+: ")
"""What an agent logs of itself."""
STOP_SECONDS = 60.0
"""How long runs may take to save their work when they are stopped."""


class Agents:
    """Agents that take runs of one sweep until it has none left."""

    def __init__(self, sweep: str, experiment: Path, store: Path) -> None:
        """Say what they work on.

        Args:
            sweep: `entity/project/id`.
            experiment: the experiment's file on this machine.
            store: this machine's store.
        """
        self._sweep, self._store = sweep, store.absolute()
        self._ours = {PYTHON: sys.executable, EXPERIMENT: str(experiment), STORE: str(self._store)}
        self._agents: list[subprocess.Popen[str]] = []
        self._lines: queue.Queue[tuple[int, str | None]] = queue.Queue()

    def start(self, count: int) -> None:
        """Start so many agents."""
        folder = self._store / "wandb"
        command = [sys.executable, "-m", "wandb", "agent", "--forward-signals", self._sweep]
        with environment(folder):
            variables = {"WANDB_DIR": str(folder), **os.environ, **self._ours}
        for number in range(len(self._agents), len(self._agents) + count):
            agent = subprocess.Popen(  # noqa: S603 - our own interpreter
                command,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C reaches this process alone, which then stops them in good order
            )
            self._agents.append(agent)
            threading.Thread(target=self._read, args=(number, agent), daemon=True).start()

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield what the agents' runs print, each line with its agent's number, until all agents have ended."""
        running = len(self._agents)
        while running:
            number, line = self._lines.get()
            if line is None:
                running -= 1
            elif not NOISE.search(line):
                yield number, line

    def failed(self) -> list[int]:
        """Return the numbers of the agents that have ended badly; all must have ended."""
        return [number for number, agent in enumerate(self._agents) if agent.wait() != 0]

    def stop(self) -> None:
        """Stop all agents that are at work; their runs save what is half done."""
        at_work = [agent for agent in self._agents if agent.poll() is None]
        for agent in at_work:
            with suppress(OSError):
                agent.send_signal(signal.SIGTERM)
        for agent in at_work:
            try:
                agent.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                agent.kill()

    def _read(self, number: int, agent: subprocess.Popen[str]) -> None:
        for line in agent.stdout or ():
            self._lines.put((number, line.rstrip("\n")))
        agent.wait()
        self._lines.put((number, None))

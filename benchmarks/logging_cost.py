"""What it costs the training loop to be shown live in wandb: one training, in turns with and without.

    python benchmarks/logging_cost.py [--students textcnn ...] [--steps 2000]

Ten steps at a time, in which one line of the curves falls, the line goes through the real SDK to the tests' server on
loopback, in a process of its own, or it stays in the journal alone, as with `mode: disabled`. Two trainings side by
side would differ by more than this: by where their memory lies. All batches have one shape, and neighbouring blocks
are compared, in the order without, with, with, without. The last column is the part that the loop waits for: the median
of the SDK's calls. Needs the extras `quickstart` and `dev`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from lockstep import BLOCK, describe
from training_overhead import SETTINGS, STUDENT_KNOBS, build, load_corpus, objective_for, train

from distill.contracts import Objective, RunFacts, Targets, Tracker, Workbench
from distill.corpus import Corpus
from distill.hardware import detect
from distill.progress import Silence
from distill.tracking import open_tracker
from distill.tracking.journal import Journal, Line

WORDS = 16
"""Shorter texts are left out, and longer ones are cut."""
ORDER = (False, True, True, False)
"""Whether a block is sent: what changes slowly meets both alike."""
WARM_UP = 4
"""Blocks in which memory is taken for the first time."""
TESTS = Path(__file__).resolve().parents[1] / "tests"
SERVE = """
import sys
from pathlib import Path
from wandb_server.fixtures import environment, running_server
with running_server(Path(sys.argv[1])) as server:
    for name, value in environment(server, Path(sys.argv[1])).items():
        print(f"{name}={value}", flush=True)
    print(flush=True)
    sys.stdin.read()
"""


def main() -> None:
    """Measure each student and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", nargs="+", default=list(STUDENT_KNOBS), choices=list(STUDENT_KNOBS))
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch, server(Path(scratch) / "server"):
        corpus = of_one_length(load_corpus(Path(scratch)))
        print(
            f"{detect('cpu', 1).processor}, 1 thread, batch {SETTINGS.batch_size}, {options.steps} steps each"
        )
        print(
            "student          without       with   cost: median (95 % interval) [quartiles] of blocks   a call"
        )
        for name in options.students:
            print(f"{name:15} {measure(name, corpus, options.steps, Path(scratch))}", flush=True)


@contextmanager
def server(folder: Path) -> Iterator[None]:
    """Run the tests' server in a process of its own, and be logged in to it."""
    folder.mkdir()
    command = [sys.executable, "-c", SERVE, str(folder)]
    variables = os.environ | {"PYTHONPATH": str(TESTS)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=variables, stdin=pipe, stdout=pipe, text=True) as process:
        for line in iter(process.stdout.readline, "\n"):  # type: ignore[union-attr]
            name, _, value = line.strip().partition("=")
            os.environ[name] = value
        yield
        process.stdin.close()  # type: ignore[union-attr]


def of_one_length(corpus: Corpus) -> Corpus:
    """Return the corpus without texts that are too short for batches of one shape."""
    long = [row for row, text in enumerate(corpus.train.texts) if len(text.split()) >= WORDS]
    return replace(corpus, train=corpus.train.take(long))


def measure(name: str, corpus: Corpus, steps: int, scratch: Path) -> str:
    """Return a line: milliseconds a step without and with wandb, what that costs, and what each call takes."""
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        store = Path(place)
        result, work = store / "result", store / "scratch"
        result.mkdir()
        work.mkdir()
        tracker = tracker_of(store)
        with tracker.run(RunFacts(name, "student", name.encode().hex() * 4)) as log:
            switch = Switch(objective_for(corpus), cast("Journal", log))
            bench = Workbench(result, work, log, Silence())
            train(build(name, corpus, scratch, max_length=WORDS), switch, corpus, steps, bench)
        if unsent := tracker.close():
            raise SystemExit(unsent)
    pairs = min(map(len, switch.seconds_per_step.values()))
    without, live = (switch.seconds_per_step[on][:pairs] for on in (False, True))
    return f"{describe(without, live)}   {1e3 * statistics.median(switch.seconds_per_call):.2f} ms"


class Switch:
    """An objective that is asked once in each step: there it times, and switches from journal to wandb and back."""

    def __init__(self, objective: Objective, log: Journal) -> None:
        self._objective, self._log, self._live = objective, log, log.send
        self._steps, self._begun = 0, 0.0
        self.seconds_per_step: dict[bool, list[float]] = {False: [], True: []}
        self.seconds_per_call: list[float] = []

    def __call__(self, student_logits: torch.Tensor, targets: Targets) -> Mapping[str, torch.Tensor]:
        """Pass the terms through."""
        block, place = divmod(self._steps, BLOCK)
        if place == 0:
            if block > WARM_UP:
                taken = (time.perf_counter() - self._begun) / BLOCK
                self.seconds_per_step[ORDER[(block - 1) % len(ORDER)]].append(taken)
            self._log.send = self._send if ORDER[block % len(ORDER)] else send_nowhere
            self._begun = time.perf_counter()
        self._steps += 1
        return self._objective(student_logits, targets)

    def _send(self, line: Line, row: int, at: Path | None) -> None:  # noqa: ARG002
        begun = time.perf_counter()
        self._live(line, len(self.seconds_per_call), at)  # rows without a gap, or they would be refused
        self.seconds_per_call.append(time.perf_counter() - begun)


def send_nowhere(line: Line, row: int, at: Path | None) -> None:
    """Leave a line to the journal."""


def tracker_of(store: Path) -> Tracker:
    """Return a tracker of a project of its own."""
    return open_tracker(
        mode="online",
        project="logging-cost",
        entity=None,
        experiment="logging-cost",
        store_root=store,
        tags=(),
        progress=Silence(),
    )


if __name__ == "__main__":
    main()

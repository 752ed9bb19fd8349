"""What it costs the training loop to be shown live in wandb: the same student with and without, in turns.

    python benchmarks/logging_cost.py [--students textcnn ...] [--steps 1000]

Without is a run whose journal alone is written (`mode: disabled`). With is one that sends every line through the real
SDK to the tests' server on loopback, in a process of its own. Needs the extras `quickstart` and `dev`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from lockstep import compare, describe
from training_overhead import SETTINGS, STUDENT_KNOBS, build, load_corpus, objective_for, train

from distill.contracts import Objective, RunFacts, Tracker, Workbench
from distill.corpus import Corpus
from distill.hardware import detect
from distill.progress import Silence
from distill.tracking import Mode, open_tracker

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
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch, server(Path(scratch) / "server"):
        corpus = load_corpus(Path(scratch))
        print(
            f"{detect('cpu', 1).processor}, 1 thread, batch {SETTINGS.batch_size}, {options.steps} steps each"
        )
        print("student          without       with   cost: median (95 % interval) [quartiles] of blocks")
        for name in options.students:
            print(f"{name:15} {describe(*measure(name, corpus, options.steps, Path(scratch)))}", flush=True)


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


def measure(name: str, corpus: Corpus, steps: int, scratch: Path) -> tuple[list[float], list[float]]:
    """Return seconds a step without and with wandb, a value for each block."""

    def tracked(mode: Mode, objective: Objective) -> None:
        with tempfile.TemporaryDirectory(dir=scratch) as place:
            store = Path(place)
            result, work = store / "result", store / "scratch"
            result.mkdir()
            work.mkdir()
            tracker = tracker_of(mode, store)
            with tracker.run(RunFacts(name, "student", name.encode().hex() * 4)) as log:
                bench = Workbench(result, work, log, Silence())
                train(build(name, corpus, scratch), objective, corpus, steps, bench)
            if unsent := tracker.close():
                raise SystemExit(unsent)

    return compare(
        lambda objective: tracked("disabled", objective),
        lambda objective: tracked("online", objective),
        lambda: objective_for(corpus),
    )


def tracker_of(mode: Mode, store: Path) -> Tracker:
    """Return a tracker of a project of its own."""
    return open_tracker(
        mode=mode,
        project="logging-cost",
        entity=None,
        experiment="logging-cost",
        store_root=store,
        tags=(),
        progress=Silence(),
    )


if __name__ == "__main__":
    main()

"""What goes wrong, and when: tried with the real SDK, then mended by `distill sync`, and counted on the server.

    python tests/fault_matrix.py

prints the table of docs/when-wandb-fails.md.
"""

import math
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wandb_server.fixtures import environment, running_server

MOMENTS = ("start", "middle", "end")
WITHOUT_SERVER = ("no key", "WANDB_MODE=offline")
FAULTS = ("server down", "server silent", "error 500", "uploads lost")
STOPS = ("SIGTERM", "SIGKILL", "SIGKILL, then sync")
CASES = [
    *((fault, "start") for fault in WITHOUT_SERVER),
    *((fault, moment) for fault in FAULTS for moment in MOMENTS),
    *(
        (fault, moment) for fault in STOPS for moment in MOMENTS[1:]
    ),  # before the start there is nothing to lose
]
HERE = Path(__file__).parent


@dataclass
class Found:
    """What a case came to."""

    fault: str
    moment: str
    exit_code: int
    seconds: float
    """How long the experiment took beyond the pauses, from the fault to its end."""
    rows_before: int
    """Rows on the server before `distill sync`; of 62."""
    artifacts_before: int
    sync_exit_code: int
    sync_said: str
    rows: int
    doubled: int
    artifacts: int
    edges: int
    summaries: int
    again: str
    """What a second `distill sync` said last."""


def attempt(fault, moment):
    """Run the laboratory, let a fault happen at that moment, synchronise, and count."""
    with tempfile.TemporaryDirectory() as scratch, running_server(Path(scratch) / "server") as server:
        store = Path(scratch) / "store"
        store.mkdir()
        variables = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
        variables |= environment(server, Path(scratch)) | {"PYTHONPATH": f"{HERE}:{HERE.parent}"}
        broken = dict(variables)
        if fault == "no key":
            del broken["WANDB_API_KEY"]
        if fault == "WANDB_MODE=offline":
            broken["WANDB_MODE"] = "offline"
        exit_code, seconds = run_until_fault(server, store, broken, fault, moment)
        server.heal()
        if fault == "server down":
            server.up()
        rows_before, artifacts_before = count(server)[:2]
        if fault == "SIGKILL, then sync":
            sync(store, variables)  # what there is so far; the run then goes on
        if fault in STOPS:
            exit_code, _ = finish(start(store, variables, "--go-on"))
        sync_exit_code, said = sync(store, variables)
        counted = count(server)
        again = sync(store, variables)[1].splitlines()[-1]
        return Found(
            fault, moment, exit_code, seconds, rows_before, artifacts_before, sync_exit_code, said, counted[0],
            counted[2], counted[1], counted[3], counted[4], again,
        )  # fmt: skip


def start(store, variables, *arguments):
    """Start the laboratory."""
    command = [sys.executable, str(HERE / "laboratory.py"), str(store), *arguments]
    return subprocess.Popen(
        command,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_until_fault(server, store, variables, fault, moment):
    """Let a fault happen; return how the process ended and how long it took from then on."""
    process = start(store, variables)
    for line in process.stdout:
        if line.strip() == moment:
            if moment == "middle":
                time.sleep(1)  # what was logged before has left the process
            harm(server, process, fault)
            return finish(process)
        if line.strip() in MOMENTS:
            go_on(process)
    raise AssertionError(process.wait())


def harm(server, process, fault):
    """Do what a case is called after."""
    if fault == "server down":
        server.down()
    elif fault == "server silent":
        server.slow(seconds=300)
    elif fault == "error 500":
        server.fail()
    elif fault == "uploads lost":
        server.lose_upload(times=math.inf)
    elif fault == "SIGTERM":
        process.terminate()
    elif fault.startswith("SIGKILL"):
        process.kill()


def finish(process):
    """Let the laboratory go on to its end; return its exit code and the seconds."""
    begun = time.monotonic()
    with process:
        go_on(process)
        for line in process.stdout:
            if line.strip() in MOMENTS:
                go_on(process)
        return process.wait(), time.monotonic() - begun


def go_on(process):
    """Answer a pause; a process that was killed hears nothing."""
    with suppress(BrokenPipeError):
        process.stdin.write("\n")
        process.stdin.flush()


def sync(store, variables):
    """Give `distill sync`; return its exit code and what it said."""
    command = [sys.executable, "-m", "distill.cli", "sync", "--store", str(store)]
    found = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=200)
    return found.returncode, (found.stdout + found.stderr).strip()


def count(server):
    """Return rows, artifacts, doubled rows, edges and summaries that the server holds."""
    rows = doubled = edges = summaries = 0
    for run in server.state.project("distill").runs.values():
        rows += len(run.history)
        doubled += len(run.history) - len(set(run.history))
        edges += len(run.used)
        summaries += any(name in run.summary for name in ("test/macro_ap", "frontier/hypervolume"))
    collections = server.state.project("distill").collections.values()
    kinds = {"teacher", "student"}
    artifacts = sum(
        member.artifact.state == "COMMITTED"
        for one in collections
        if one.type in kinds
        for member in one.members
    )
    return rows, artifacts, doubled, edges, summaries


def main():
    """Print the table."""
    tell(
        "| failure | when | ends after | rows, artifacts there before | and after `distill sync` | doubled |"
    )
    tell("|---|---|---:|---|---|---:|")
    for fault, moment in CASES:
        found = attempt(fault, moment)
        before = f"{found.rows_before}, {found.artifacts_before}"
        after = f"{found.rows}, {found.artifacts}"
        tell(f"| {fault} | {moment} | {found.seconds:.1f} s | {before} | {after} | {found.doubled} |")


def tell(text):
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

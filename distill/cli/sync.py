"""The command that sends what a server has not got."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill.cli.options import Commands, command, store_at


def declare(commands: Commands) -> None:
    """Declare the command."""
    parser = command(commands, sync, "send wandb what it has not got")
    parser.add_argument(
        "experiment", nargs="?", default="*", help="only the runs of this experiment, by its name"
    )
    parser.add_argument("--store", type=Path, help="the store (default: .distill)")


def sync(options: argparse.Namespace) -> int:
    """Send wandb every run, figure and artifact of a store that it has not got, once; ends with 0 if it has all."""
    from distill.tracking import sync_store

    counts = {"sent": 0, "there": 0, "private": 0, "running": 0, "failed": 0}
    for found in sync_store(store_at(options.store).root, options.experiment):
        counts[found.state] += 1
        print(f"{found.state:8} {found.job_type:12} {found.name}: {found.detail}", flush=True)
    print(", ".join([f"{sum(counts.values())} runs", *(f"{n} {state}" for state, n in counts.items() if n)]))
    return 1 if counts["failed"] or counts["running"] else 0

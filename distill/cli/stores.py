"""Commands about a store: ls, prune."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill.cli.options import Commands, command, load, make_plan, store_at


def declare(commands: Commands) -> None:
    """Declare the commands."""
    store = commands.add_parser("store", help="list or prune what is kept").add_subparsers(
        required=True, metavar="WHAT"
    )
    command(store, store_ls, "list what is kept", name="ls")
    prune = command(store, store_prune, "remove what no experiment needs", name="prune")
    prune.add_argument("keep", type=Path, nargs="+", help="experiment files whose results stay")
    prune.add_argument(
        "--unsent", action="store_true", help="remove also what wandb has not got (`distill sync` sends it)"
    )
    prune.add_argument("--dry-run", action="store_true", help="only tell what would be removed")
    for parser in (store.choices["ls"], prune):
        parser.add_argument("--store", type=Path, help="the store (default: .distill)")


def store_ls(options: argparse.Namespace) -> int:
    """List what the store holds."""
    store = store_at(options.store)
    entries = store.entries()
    for entry in entries:
        state = "" if entry.finished else "  (unfinished)"
        print(
            f"{entry.bytes / 1e6:10.1f} MB  {entry.last_used:%Y-%m-%d %H:%M}  {entry.stage:12}  {entry.key}  "
            f"{entry.name}{state}"
        )
    print(f"{len(entries)} results, {sum(entry.bytes for entry in entries) / 1e6:.1f} MB in {store.root}")
    return 0


def store_prune(options: argparse.Namespace) -> int:
    """Remove what none of the given experiments needs; what wandb has not got is kept until it is sent."""
    from distill.tracking import Journals

    store = store_at(options.store)
    keep: set[tuple[str, str]] = set()
    for file in options.keep:
        options.file, options.only, options.set = file, None, []
        keep |= {(step.stage, step.key) for step in make_plan(options, load(options), store).steps()}
    held = [] if options.unsent else Journals(store.root).files_to_be_sent()
    pruned = store.prune(keep, held, dry_run=options.dry_run)
    did = "would remove" if options.dry_run else "removed"
    print(f"{did} {len(pruned.removed)} results, {pruned.bytes / 1e6:.1f} MB")
    if pruned.held:
        print(
            f"{len(pruned.held)} more stay until wandb has them: give `distill sync`, or --unsent to remove them"
        )
    if pruned.in_use:
        print(f"{len(pruned.in_use)} more are in use by another process and stay")
    return 0

"""The command line. Only it prints and exits.

Exit codes: 0 done, 1 a run failed, 2 something that the user can mend, 143 stopped.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence

from distill.cli import dashboard, experiments, machine, predict, pull, stores, sweep, sync
from distill.cli.options import Command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    options = _parser().parse_args(arguments)
    from distill.errors import DistillError, InterruptedRunError

    command: Command = options.command
    try:
        return _flushed(command(options))
    except DistillError as error:
        print(error, file=sys.stderr)
        return 2
    except (InterruptedRunError, KeyboardInterrupt):
        print("distill: stopped; give the same command again to go on", file=sys.stderr)
        return 143
    except BrokenPipeError:  # `| head` has read what it wanted
        _drop_output()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        print("standard output: cannot be written (the disk is full)", file=sys.stderr)
        return 2


def _flushed(code: int) -> int:
    """Return the exit code once all is printed: here a reader that went away, or a full disk, can be answered."""
    sys.stdout.flush()
    return code


def _drop_output() -> None:
    """Forget what is left to print, about which Python would complain when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="distill",
        description="Compare teacher-student pairs for text classification: quality against speed.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (experiments, sweep, predict, pull, sync, dashboard, stores, machine):
        group.declare(commands)
    return parser

"""What the tests of reading back share: a server that lasts for a whole file, with experiments that ran online."""

from contextlib import contextmanager

import reviews
from wandb_server.fixtures import logged_in, running_server

from distill.cli import main

PLACE = "laboratory/distill"


@contextmanager
def laboratory(folder):
    """Run a server that wandb is logged in to."""
    with running_server(folder / "wandb-server") as server, logged_in(server, folder):
        yield server


def write_experiment(folder):
    """Write the small experiment, to be run online; return its file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = reviews.write_experiment(folder)
    file.write_text(
        file.read_text(encoding="utf-8").replace("{mode: disabled}", "{mode: auto}"), encoding="utf-8"
    )
    return file


def run_online(file, *more):
    """Run an experiment in its own folder."""
    assert main(["run", str(file), "--store", str(file.parent / ".distill"), *more]) == 0

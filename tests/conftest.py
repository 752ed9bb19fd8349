"""What several tests need: small experiments that really run."""

import re
import subprocess

import pytest
from reviews import write_experiment

from distill.cli import main

pytest_plugins = ["wandb_server.fixtures", "online"]


@pytest.fixture
def experiment_file(tmp_path):
    """The small experiment on disk."""
    return write_experiment(tmp_path)


@pytest.fixture
def refused(experiment_file, capsys, monkeypatch):
    """Give a command that is to be refused in the experiment's folder, called FOLDER; return its message.

    Nothing may be printed but progress and the message, and nothing half-written may stay in the store.
    """
    folder = experiment_file.parent
    monkeypatch.chdir(folder)

    def refused(*arguments, store=folder / ".distill"):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert (code, out) == (2, ""), err
        assert half_written(store) == []
        told = [line for line in err.splitlines() if not re.match(r"\[\d+/\d+\] ", line)]
        return "\n".join(told).replace(str(folder), "FOLDER")

    return refused


def half_written(store):
    """Return what a store holds that is not a finished result."""
    unsealed = [place for place in store.glob("results/*/*") if not (place / "manifest.json").is_file()]
    return [*unsealed, *store.glob("scratch/*")]


@pytest.fixture
def mount(tmp_path):
    """Mounts a small disk; skips where that is not permitted."""
    mounted = []

    def make(options):
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        try:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting is not permitted here")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", "--lazy", place], check=True)

"""An experiment that has run online, for the tests of a module."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from reviews import write_experiment
from wandb_server.fixtures import logged_in, running_server
from wandb_server.server import WandbServer

from distill.cli import main


@dataclass(frozen=True)
class OnlineExperiment:
    """An experiment file and the server that knows its runs."""

    file: Path
    server: WandbServer

    @property
    def store(self):
        """Where its results are."""
        return self.file.parent / ".distill"


@pytest.fixture(scope="module")
def online_experiment(tmp_path_factory):
    """The small experiment, run online once for a module's tests; they find themselves logged in, and in its folder."""
    place = tmp_path_factory.mktemp("online")
    file = write_experiment(place)
    with (
        running_server(place / "server") as server,
        logged_in(server, place),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.chdir(place)
        # ten batches and more, so that there are curves
        assert (
            main(["run", str(file), "--set", "runtime.wandb.mode=auto", "--set", "training.max_epochs=5"])
            == 0
        )
        yield OnlineExperiment(file, server)

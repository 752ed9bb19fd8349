"""An experiment that has run online, for the tests of a module."""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from reviews import write_experiment
from wandb_server.fixtures import logged_in, running_server
from wandb_server.server import WandbServer

from distill.cli import main

QUICKSTART = Path(__file__).parents[1] / "experiments" / "quickstart.yaml"


@dataclass(frozen=True)
class OnlineExperiment:
    """An experiment file, the options with which it ran, and the server that knows its runs."""

    file: Path
    options: tuple[str, ...]
    folder: Path
    server: WandbServer
    name: str
    students: tuple[str, ...]

    @property
    def store(self):
        """Where its results are."""
        return self.folder / ".distill"


@pytest.fixture(scope="session")
def _reviews_online(tmp_path_factory):
    with _run(tmp_path_factory.mktemp("online"), "reviews") as ran:
        yield ran


# a quick start takes its five minutes, or more beside something else
@pytest.fixture(
    scope="module",
    params=["reviews", pytest.param("quickstart", marks=[pytest.mark.slow, pytest.mark.timeout(3600)])],
)
def any_online_experiment(request, tmp_path_factory):
    """An experiment that has run online: a small one, and the quick start. Logged in, and in its folder."""
    if request.param == "reviews":
        with _visited(request.getfixturevalue("_reviews_online")) as ran:
            yield ran
        return
    with _run(tmp_path_factory.mktemp("online"), request.param) as ran, _visited(ran):
        yield ran


@pytest.fixture(scope="module")
def online_experiment(_reviews_online):
    """The small experiment, run online once for all; a module's tests are logged in, and in its folder."""
    with _visited(_reviews_online) as ran:
        yield ran


@contextmanager
def _run(folder, name):
    small = name == "reviews"
    file = write_experiment(folder) if small else QUICKSTART
    online = ("--set", "runtime.wandb.mode=auto")
    # ten batches make a row of the curves
    options = (*online, "--set", "training.max_epochs=5") if small else online
    students = ("mean", "cnn") if small else ("bert-tiny", "bilstm", "textcnn", "mean")
    with running_server(folder / "server") as server:
        ran = OnlineExperiment(file, options, folder, server, name, students)
        with _visited(ran):
            assert main(["run", str(file), *options]) == 0
        yield ran


@contextmanager
def _visited(ran):
    with logged_in(ran.server, ran.folder), pytest.MonkeyPatch.context() as patch:
        patch.chdir(ran.folder)
        yield ran

"""What the tests of reading back share: a server that lasts for a whole file, with experiments that ran online."""

import gc
import os
import textwrap
import warnings
from contextlib import contextmanager
from unittest.mock import patch

from conftest import EXPERIMENT, write_reviews
from wandb_server.fixtures import environment, running_server

from distill.cli import main
from distill.tracking.wandb_settings import stop_service

PLACE = "laboratory/distill"
ROWS = {"train": 120, "validation": 40, "test": 40}


@contextmanager
def laboratory(folder):
    """Run a server that wandb is logged in to."""
    with running_server(folder / "wandb-server") as server, patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            del os.environ[name]
        os.environ.update(environment(server, folder))
        yield server
        stop_service()


def write_experiment(folder):
    """Write the small experiment and its texts; return its file."""
    (folder / "reviews").mkdir(parents=True)
    for seed, (split, rows) in enumerate(ROWS.items()):
        write_reviews(folder / "reviews" / f"{split}.csv", rows, seed)
    file = folder / "reviews.yaml"
    file.write_text(textwrap.dedent(EXPERIMENT).replace("{mode: disabled}", "{mode: auto}"), encoding="utf-8")
    return file


def run_online(file, *more):
    """Run an experiment in its own folder."""
    assert main(["run", str(file), "--store", str(file.parent / ".distill"), *more]) == 0
    forget_artifacts()


def forget_artifacts():
    """Let go of the folders that wandb's remembered artifacts hold, before that happens in another test."""
    from wandb.sdk.artifacts import artifact_instance_cache as remembered

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        remembered.artifact_instance_cache.clear()
        remembered.artifact_instance_cache_by_client_id.clear()
        gc.collect()

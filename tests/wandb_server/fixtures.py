"""Fixtures: a server for each test, and an environment in which wandb is logged in to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest

from distill.tracking.wandb_settings import stop_service
from wandb_server.server import WandbServer

API_KEY = "0123456789abcdef" * 3


@contextmanager
def running_server(folder: Path) -> Iterator[WandbServer]:
    """Run a server.

    Raises:
        AssertionError: at the end, if the SDK has asked for what the server does not know, or the server failed.
    """
    server = WandbServer(folder)
    server.up()
    try:
        yield server
    finally:
        server.stop()
    assert not server.errors, "\n  ".join(["the wandb test server failed:", *server.errors])
    assert not server.unknown, "\n  ".join(
        ["the wandb SDK asked for what tests/wandb_server does not know:", *server.unknown]
    )


@contextmanager
def logged_in(server: WandbServer, folder: Path) -> Iterator[None]:
    """Log wandb in to the server by the environment; what it writes stays below the folder."""
    with patch.dict(os.environ):  # what the SDK adds of its own, such as a sweep's project, goes away again
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            del os.environ[name]
        os.environ.update(environment(server, folder))
        yield
        if "wandb" in sys.modules:
            stop_service()  # the next test's settings are read by a process of its own


@pytest.fixture
def wandb_server(tmp_path: Path) -> Iterator[WandbServer]:
    """A server that remembers nothing yet; nobody is logged in to it."""
    with running_server(tmp_path / "wandb-server") as server:
        yield server


@pytest.fixture
def wandb_login(wandb_server: WandbServer, tmp_path: Path) -> Iterator[WandbServer]:
    """The server, with wandb logged in to it by the environment, for processes that a test starts too."""
    with logged_in(wandb_server, tmp_path):
        yield wandb_server


@pytest.fixture
def wandb(wandb_login: WandbServer) -> ModuleType:
    """The SDK, logged in to the server."""
    import wandb

    return wandb


@pytest.fixture
def wandb_api(wandb: ModuleType) -> Any:
    """What reads from the server."""
    return wandb.Api()


def environment(server: WandbServer, folder: Path) -> dict[str, str]:
    """Return what makes wandb use the server, and write below `folder` only."""
    places = {}
    for name in (
        "HOME",
        "WANDB_DIR",
        "WANDB_CACHE_DIR",
        "WANDB_CONFIG_DIR",
        "WANDB_DATA_DIR",
        "WANDB_ARTIFACT_DIR",
    ):
        place = folder / "machine" / name.lower()
        place.mkdir(parents=True, exist_ok=True)
        places[name] = str(place)
    return {
        **places,
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": API_KEY,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "WANDB_CONSOLE": "off",
    }

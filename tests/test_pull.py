"""`distill pull`: a student comes back whole, checked and ready to predict; what is not as it should be does not."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from online import PLACE, laboratory, run_online, write_experiment

from distill.cli import main

PREDICT = [sys.executable, "-m", "distill.cli", "predict"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pull")
    with laboratory(folder) as server:
        file = write_experiment(folder / "work")
        run_online(file)
        server.file = file
        yield server


@pytest.fixture
def here(lab, tmp_path, monkeypatch):
    """An empty folder to pull into."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    yield place
    lab.heal()


@pytest.fixture
def pull(here, capsys):
    capsys.readouterr()

    def pull(*arguments):
        code = main(["pull", *map(str, arguments)])
        found = capsys.readouterr()
        return code, found.out, found.err

    return pull


@pytest.fixture
def refused(pull, here, lab):
    """Give a command that is to be refused: one message, and nothing half-written."""

    def refused(*arguments, kept=()):
        code, out, err = pull(*arguments)
        assert (code, out) == (2, ""), (code, out, err)
        assert sorted(path.name for path in here.iterdir()) == sorted(kept)
        told = [line for line in err.splitlines() if not line.startswith("downloading")]
        return "\n".join(told).replace(lab.url, "SERVER").replace(str(here), "HERE")

    return refused


def published(server, name="reviews-cnn"):
    """Return the newest version of an artifact, as the server holds it."""
    return server.state.projects["laboratory", "distill"].collections[name].members[-1].artifact


def test_x(pull, here):
    code, out, err = pull(f"{PLACE}/reviews-cnn:best")
    print(out, err)
    print(pull("reviews-cnn", "--to", "other"))
    for n in ("reviews-cn", "reviews-cnn:bst", "distil/reviews-cnn", "nobody/distill/x", "reviews-teacher:latest", "reviews-soft-targets:latest"):
        t=time.time()
        print(n, pull(n), time.time()-t)
    print(pull("reviews", "--best", "quality where latency_p90_ms <= 5")[1])
    for n in ("latency_p90_ms where student = cn", "quality where latency_p90_ms <= 0.0001", "throughput"):
        print(pull("reviews", "--best", n, "--to", "t2"))
    for p in sorted(here.iterdir()): print(p)
    assert 0

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
    log = open("/tmp/p-pull/log", "w")
    def p(*a):
        t=time.time(); r = pull(*a)
        log.write(f"--- {a} {time.time()-t:.1f}\n{r[0]}\n{r[1]}\n[{r[2]}]\n"); log.flush()
    p(f"{PLACE}/reviews-cnn:best")
    p("reviews-cnn", "--to", "other")
    for n in ("reviews-cn", "reviews-cnn:bst", "distil/reviews-cnn", "nobody/distill/x", "reviews-teacher:latest", "reviews-soft-targets:latest"):
        p(n)
    p("reviews", "--best", "quality where latency_p90_ms <= 5")
    for n in ("latency_p90_ms where student = cn", "quality where latency_p90_ms <= 0.0001", "throughput"):
        p("reviews", "--best", n, "--to", "t2")
    p("review", "--best", "quality")
    for q in sorted(here.iterdir()): log.write(str(q)+"\n")

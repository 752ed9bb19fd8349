"""`distill doctor --wandb`: what was logged comes back the same and goes away again, and each failure is told."""

import re
import time

import pytest

from distill.cli import main
from distill.dashboard import round_trip as trip

LOGGED = [
    "key and server",
    "open a run",
    "log 20 rows",
    "log a table",
    "log a picture",
    "log a summary",
    "upload an artifact",
    "finish the run",
    "open a second run",
    "use the artifact in it",
    "finish the second run",
]
READ = [
    "read the rows back",
    "read the summary back",
    "read table and picture back",
    "download the artifact",
    "read the lineage back",
]
DELETED = "delete all of it again"


@pytest.fixture
def doctor(capsys):
    """Give the command; return its exit code, its steps as (mark, name, failure) and its last line."""

    def run():
        code = main(["doctor", "--wandb"])
        out, err = capsys.readouterr()
        assert err == ""
        *lines, last = out.splitlines()
        steps = [re.fullmatch(r"(ok|FAILED) +\d+\.\d s  ([^:]+)(?:: (.+))?", line).groups() for line in lines]
        return code, steps, last

    return run


def left(server):
    """Return what the server still holds of a round trip."""
    found = [one for one in server.state.projects.values() if one.name == "distill-doctor"]
    return [[*one.runs, *one.collections] for one in found]


def test_what_is_logged_comes_back_and_goes_away(doctor, wandb_login):
    code, steps, last = doctor()
    assert steps == [("ok", name, None) for name in [*LOGGED, *READ, DELETED]]
    assert (code, last) == (0, "wandb: the round trip is well")
    assert left(wandb_login) == [[]]

"""`distill doctor --wandb`: what was logged comes back the same and goes away again, and each failure is told."""

import re
import subprocess
import sys
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


def test_a_server_that_is_down_is_told_in_seconds(doctor, wandb_login):
    wandb_login.down()
    begun = time.monotonic()
    code, [(mark, name, failure)], last = doctor()
    assert (code, mark, name, last) == (1, "FAILED", "key and server", "wandb: failed: key and server")
    assert failure.startswith(f"wandb: {wandb_login.url} does not answer (")
    assert time.monotonic() - begun < 20


def test_a_missing_key_is_told(doctor, wandb_login, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    code, steps, _ = doctor()
    remedy = f"wandb: no key for {wandb_login.url}; set WANDB_API_KEY or give `wandb login`"
    assert (code, steps) == (1, [("FAILED", "key and server", remedy)])
    assert wandb_login.requests == []


def test_an_offline_mode_is_told(doctor, wandb_login, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    code, [(mark, name, failure)], _ = doctor()
    assert (code, mark, name) == (1, "FAILED", "key and server")
    assert failure == (
        f"wandb: WANDB_MODE or `wandb offline` says offline, so that {wandb_login.url} is not asked; "
        "unset it, or give `wandb online`"
    )
    assert left(wandb_login) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "matching", "failing"),
    [
        (500, "UpsertBucket", "open a run"),
        (500, "CreateArtifact", "upload an artifact"),
        (500, "PUT /storage/contents", "upload an artifact"),
        (404, "file_stream", "read the rows back"),
        (500, "UseArtifact", "use the artifact in it"),
        (500, "GET /storage/contents", "download the artifact"),
    ],
)
def test_the_step_that_fails_is_marked_and_nothing_stays(
    status, matching, failing, doctor, wandb_login, monkeypatch
):
    monkeypatch.setattr("distill.tracking.wandb_runs.PATIENCE_SECONDS", 3.0)
    monkeypatch.setattr("distill.tracking.wandb_runs.LONGEST_SECONDS", 1.0)
    monkeypatch.setattr(trip, "READ_SECONDS", 5.0)
    monkeypatch.setattr(trip, "SETTLE_SECONDS", 1.0)
    wandb_login.fail(status, matching)
    code, steps, last = doctor()
    names = [*LOGGED, *READ]
    before = names[: names.index(failing)]
    assert [step[:2] for step in steps] == [
        *(("ok", name) for name in before),
        ("FAILED", failing),
        ("ok", DELETED),
    ]
    assert (code, last) == (1, f"wandb: failed: {failing}")
    assert left(wandb_login) in ([], [[]])


def test_what_could_not_be_deleted_is_named(doctor, wandb_login):
    wandb_login.fail(400, "DeleteRun")
    code, steps, _ = doctor()
    [(mark, name, failure)] = [step for step in steps if step[0] == "FAILED"]
    [still_there] = left(wandb_login)
    assert (code, mark, name, len(still_there)) == (1, "FAILED", DELETED, 2)
    assert all(f"run {run} (" in failure for run in still_there)


def drop_a_row(run, folder):
    run.history.pop(7)


def double_a_row(run, folder):
    run.history.append(run.history[7])


def change_a_row(run, folder):
    run.history[7] = run.history[7].replace("0.125", "0.126")


def change_a_file(run, folder):
    for path in (folder / "contents").iterdir():
        path.write_bytes(path.read_bytes()[::-1])


def lose_the_picture(run, folder):
    for path in folder.rglob("*.png"):
        path.unlink()


def forget_who_used_it(run, folder):
    for artifact in run.logged:
        artifact.used_by.clear()


def forget_the_summary(run, folder):
    run.summary = "{}"


@pytest.mark.parametrize(
    ("spoil", "failing", "told"),
    [
        (drop_a_row, "read the rows back", "rows: logged 20, read back 19"),
        (double_a_row, "read the rows back", "rows: logged 20, read back 21"),
        (
            change_a_row,
            "read the rows back",
            "row 7: logged {'train/loss': 0.125, 'train/learning_rate': 0.007, 'step': 7, '_step': 7}, "
            "read back {'train/loss': 0.126, 'train/learning_rate': 0.007, 'step': 7, '_step': 7}",
        ),
        (
            forget_the_summary,
            "read the summary back",
            "the summary: logged {'validation/macro_ap': 0.375, 'size/bytes': 3}, "
            "read back {'validation/macro_ap': None, 'size/bytes': None}",
        ),
        (lose_the_picture, "read table and picture back", "the file of 'picture' is not there"),
        (change_a_file, "download the artifact", None),
        (forget_who_used_it, "read the lineage back", None),
    ],
)
def test_what_comes_back_different_is_told(spoil, failing, told, wandb_login, monkeypatch):
    monkeypatch.setattr(trip, "SETTLE_SECONDS", 1.0)
    failures = {}
    for step in trip.round_trip():
        if step.name == LOGGED[-1]:
            [project] = wandb_login.state.projects.values()
            writer = next(run for run in project.runs.values() if run.job_type == "writer")
            spoil(writer, wandb_login.state.folder)
        if step.failure:
            failures[step.name] = step.failure
    assert list(failures) == [failing]
    assert told in {None, failures[failing]}
    assert left(wandb_login) == [[]]


def test_who_stops_it_leaves_nothing_behind(wandb_login):
    steps = trip.round_trip()
    while next(steps).name != "upload an artifact":
        pass
    steps.close()
    assert left(wandb_login) == [[]]


@pytest.mark.slow
def test_the_process_ends_though_a_download_never_does(wandb_login):
    wandb_login.fail(500, "GET /storage/contents")
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "distill.cli", "doctor", "--wandb"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == "wandb: failed: download the artifact"
    assert time.monotonic() - begun < 45


@pytest.mark.slow
def test_all_of_it_has_a_limit(doctor, wandb_login, monkeypatch):
    monkeypatch.setattr(trip, "TOTAL_SECONDS", 6.0)
    wandb_login.fail(500, "file_stream")
    begun = time.monotonic()
    code, steps, last = doctor()
    assert (code, last) == (1, "wandb: failed: finish the run")
    assert steps[-1][:2] == ("ok", DELETED)
    assert time.monotonic() - begun < 6 + 20
    assert left(wandb_login) == [[]]

"""`distill sync`: what a server lacks is sent, what cannot be is told, and the exit code can be trusted."""

import json
import shutil
from dataclasses import replace

import pytest
from laboratory import EXPERIMENT, facts, key, publish
from wandb_rounds import PROJECT, rows
from wandb_server.fixtures import logged_in, running_server

from distill.cli import main
from distill.locks import locked
from distill.tracking import open_tracker, wandb_tracker
from distill.tracking.journals import Journals, lock_of


class Notes:
    def note(self, text):
        pass

    def advance(self, done, total, note=""):
        pass


def open_one(store, mode="offline"):
    """Open the tracker of the laboratory."""
    return open_tracker(
        mode=mode, project="distill", entity=None, experiment=EXPERIMENT, store_root=store, tags=[], progress=Notes()
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    """A store with a teacher and a student that have been recorded and not been sent."""
    place = tmp_path / "store"
    tracker = open_one(place)
    with tracker.run(facts("teacher")) as log:
        log.summary({"test/macro_ap": 0.75})
        log.mark(key("teacher"))
        publish(log, place, "teacher")
    with tracker.run(facts("student")) as log:
        for step in (10, 20):
            log.metrics({"train/loss": 1 / step}, step)
        (place / "results" / "page.html").write_text("<p>frontier</p>")
        log.picture("page", place / "results" / "page.html")
        log.mark(key("student"))
        publish(log, place, "student", "teacher")
    tracker.close()
    return place


def sync(store, capsys, *arguments):
    code = main(["sync", *arguments, "--store", str(store)])
    out, err = capsys.readouterr()
    return code, [*out.splitlines(), *err.splitlines()]


def read_student():
    import wandb

    return next(run for run in wandb.Api().runs(PROJECT) if run.job_type == "student")


def test_everything_is_sent_once_and_told(wandb_login, store, capsys):
    assert sync(store, capsys) == (
        0,
        [
            "sent     teacher      teacher/0: 0 rows, 1 artifacts",
            "sent     student      student/0: 3 rows, 1 artifacts",
            "2 runs, 2 sent",
        ],
    )
    student = read_student()
    assert [(row["_step"], row["step"]) for row in rows(student)] == [(0, 10), (1, 20), (2, 20)]
    assert [one.name for one in student.used_artifacts()] == ["laboratory-teacher:v0"]
    requests = len(wandb_login.requests)
    assert sync(store, capsys, EXPERIMENT)[1][-1] == "2 runs, 2 there"
    assert not [asked for asked in wandb_login.requests[requests:] if "Upsert" in asked]


def test_what_an_online_run_recorded_later_is_sent_too(wandb_login, store, capsys):
    sync(store, capsys)
    tracker = open_one(store)
    with tracker.run(facts("student")) as log:
        log.go_on({key("student")})
        log.summary({"speed/latency_p90_ms": 0.5})
    tracker.close()
    assert sync(store, capsys)[1][-1] == "2 runs, 1 sent, 1 there"
    student = read_student()
    assert student.summary["speed/latency_p90_ms"] == 0.5
    assert len(rows(student)) == 3


def test_of_a_curve_the_table_of_runs_shows_the_best_value(wandb_login, tmp_path, capsys):
    tracker = open_one(tmp_path)
    with tracker.run(facts("student")) as log:
        for step, value in ((10, 0.5), (20, 0.7), (30, 0.6)):
            log.metrics({"validation/macro_ap": value, "train/loss": value}, step)
    tracker.close()
    sync(tmp_path, capsys)
    student = read_student()
    assert student.summary["validation/macro_ap"]["max"] == 0.7
    assert student.summary["train/loss"] == 0.6


def test_a_file_that_was_lost_behind_its_row_is_sent_again(wandb_login, store, capsys):
    sync(store, capsys)
    for receipt in store.glob("history/*/*.sent.json"):
        receipt.unlink()
    for lost in (wandb_login.state.folder).rglob("page_*.html"):
        lost.unlink()
    shutil.rmtree(store / "wandb" / "wandb")  # the SDK's own copy is gone too; the result itself is there
    assert sync(store, capsys)[0] == 0
    student = read_student()
    with student.file(student.summary["page"]["path"]).download(store / "again") as page:
        assert page.read() == "<p>frontier</p>"
    assert len(rows(student)) == 3


def test_a_picture_that_is_gone_everywhere_is_told(wandb_login, store, capsys):
    (store / "results" / "page.html").unlink()
    code, said = sync(store, capsys)
    assert code == 1
    assert said[-1] == "2 runs, 1 sent, 1 failed"
    assert said[1] == f"failed   student      student/0: {store}/results/page.html: the picture is gone"


def test_a_published_folder_that_is_gone_is_not_sent_as_an_empty_one(wandb_login, store, capsys):
    shutil.rmtree(store / "results" / "teacher")
    code, said = sync(store, capsys)
    assert (code, said[-1]) == (1, "2 runs, 2 failed")
    gone = f"{store}/results/teacher: what was published from there is gone"
    assert said[0] == f"failed   teacher      teacher/0: {gone}"
    assert not wandb_login.state.project("distill").collections


def test_a_run_that_has_just_begun_is_no_stumbling_block(wandb_login, store, capsys):
    begun = open_one(store).run(facts("speed"))
    with begun:
        code, said = sync(store, capsys)
        assert (code, said[-1]) == (1, "3 runs, 2 sent, 1 running")
    nothing = store / "history" / EXPERIMENT / "speed-0.jsonl"
    nothing.write_text("")
    assert sync(store, capsys)[0] == 0


def test_runs_that_were_kept_from_wandb_stay_here_until_they_are_asked_for(wandb_login, tmp_path, capsys):
    config = {"seed": 0, "runtime": {"wandb": {"mode": "disabled"}}}
    with open_one(tmp_path, "disabled").run(replace(facts("teacher"), config=config)) as log:
        log.metrics({"train/loss": 1.0}, 10)
    (tmp_path / "results").mkdir()
    code, said = sync(tmp_path, capsys)
    assert (code, said[-1]) == (0, "1 runs, 1 private")
    assert said[0].endswith(f"runtime.wandb.mode is 'disabled'; to send it: distill sync {EXPERIMENT}")
    assert sync(tmp_path, capsys, EXPERIMENT) == (
        0,
        ["sent     teacher      teacher/0: 1 rows, 0 artifacts", "1 runs, 1 sent"],
    )


def test_what_was_recorded_offline_comes_before_what_goes_on_online(wandb_login, store, capsys):
    tracker = open_one(store, "auto")
    with tracker.run(facts("student")) as log:
        log.go_on({key("student")})
        log.metrics({"train/loss": 0.01}, 30)
    assert len(rows(read_student())) == 4
    assert tracker.close() == ""
    assert sync(store, capsys)[1][-1] == "2 runs, 2 there"


def test_a_server_that_takes_and_forgets_is_found_out(wandb_login, store, capsys, monkeypatch):
    monkeypatch.setattr("distill.tracking.sync.SETTLE_SECONDS", 0.1)
    sync(store, capsys)
    for receipt in store.glob("history/*/*.sent.json"):
        receipt.unlink()
    student = next(
        run for run in wandb_login.state.project("distill").runs.values() if run.job_type == "student"
    )
    student.history.append(json.dumps({"_step": 3, "train/loss": 0.05, "step": 20}))
    code, said = sync(store, capsys)
    assert code == 1
    assert said[1].endswith(": the server has 4 rows, the journal 3")


def test_a_run_that_is_being_written_is_left_alone(wandb_login, store, capsys):
    with open_one(store).run(facts("student")) as log:
        log.rewind(20)
        code, said = sync(store, capsys)
    assert (code, said[1:]) == (
        1,
        [
            "running  student      student/0: another process writes it; give the command again when that has ended",
            "2 runs, 1 sent, 1 running",
        ],
    )


def test_what_another_process_writes_is_left_to_it(wandb_login, store, capsys):
    path = next(path for path in Journals(store).all() if "student" in path.name)
    with locked(lock_of(path)):
        tracker = open_one(store, "auto")
        with tracker.run(facts("frontier")) as log:
            log.summary({"frontier/hypervolume": 1.0})
        assert tracker.close().startswith("wandb: runs still to be sent: 1; ")
        code, told = sync(store, capsys)
        assert (code, told[-1]) == (1, "3 runs, 2 there, 1 running")
    assert sync(store, capsys)[1][-1] == "3 runs, 1 sent, 2 there"
    assert len(rows(read_student())) == 3


def test_another_server_gets_everything_too(wandb_login, store, capsys, tmp_path):
    assert sync(store, capsys)[1][-1] == "2 runs, 2 sent"
    with running_server(tmp_path / "other") as other, logged_in(other, tmp_path):
        assert sync(store, capsys)[1][-1] == "2 runs, 2 sent"
        assert sync(store, capsys)[1][-1] == "2 runs, 2 there"
        assert len(rows(read_student())) == 3


def test_where_the_runs_are_is_told(wandb_login, tmp_path):
    tracker = open_one(tmp_path / "store", "auto")
    assert tracker.address() == ""
    with tracker.run(facts("teacher")) as log:
        log.summary({"test/macro_ap": 0.75})
    assert tracker.close() == ""
    assert tracker.address() == f"{wandb_login.url}/{PROJECT}/groups/{EXPERIMENT}"


@pytest.fixture
def missed(wandb_login, tmp_path, monkeypatch):
    """A tracker whose server was away for its first run, and answers again."""
    monkeypatch.setattr(wandb_tracker, "AWAY_SECONDS", 0.0)
    tracker = open_one(tmp_path / "store", "auto")
    wandb_login.down()
    with tracker.run(facts("teacher")) as log:
        log.metrics({"train/loss": 1.0}, 10)
        publish(log, tmp_path / "store", "teacher")
    wandb_login.up()
    return tracker


def job_types():
    import wandb

    return {run.job_type for run in wandb.Api().runs(PROJECT)}


def test_a_server_that_is_not_well_yet_is_tried_again_and_again(missed, wandb_login):
    wandb_login.fail(500, "UpsertBucket")
    with missed.run(facts("student")) as log:
        log.metrics({"train/loss": 1.0}, 10)
    wandb_login.heal()
    with missed.run(facts("speed")) as log:
        log.summary({"speed/latency_p90_ms": 0.5})
    assert missed.close() == ""
    assert job_types() == {"teacher", "student", "speed"}


def test_a_server_that_comes_back_is_shown_runs_again(missed, tmp_path):
    with missed.run(facts("student")) as log:
        log.metrics({"train/loss": 0.5}, 10)
        publish(log, tmp_path / "store", "student", "teacher")
    assert job_types() == {"teacher", "student"}, "the one that was missed was sent, and the other one live"
    assert missed.close() == ""


def test_one_run_that_cannot_be_sent_keeps_back_no_other(wandb_login, store, capsys):
    (store / "results" / "page.html").unlink()
    tracker = open_one(store, "auto")
    with tracker.run(facts("speed")) as log:
        log.summary({"speed/latency_p90_ms": 0.5})
    assert tracker.close().startswith("wandb: runs still to be sent: 1; ")
    assert sync(store, capsys)[1][-1] == "3 runs, 2 there, 1 failed"


def test_what_cannot_be_sent_is_told_in_one_line(wandb_login, store, capsys, monkeypatch, tmp_path):
    assert sync(store, capsys, "quickstart") == (
        2,
        [f"{store}/history: no run of that experiment is recorded (experiments: laboratory)"],
    )
    assert sync(tmp_path / "nowhere", capsys) == (
        2,
        [f"{tmp_path}/nowhere: no store there; name one with --store"],
    )
    monkeypatch.setenv("WANDB_MODE", "offline")
    said = (
        f"wandb: WANDB_MODE or `wandb offline` says offline, so that {wandb_login.url} is not asked; "
        "unset it, or give `wandb online`"
    )
    assert sync(store, capsys) == (2, [said])
    monkeypatch.delenv("WANDB_MODE")
    wandb_login.down()
    code, (said,) = sync(store, capsys)
    assert code == 2
    assert said.startswith(f"wandb: {wandb_login.url} does not answer (")
    monkeypatch.delenv("WANDB_API_KEY")
    assert sync(store, capsys) == (
        2,
        [f"wandb: no key for {wandb_login.url}; set WANDB_API_KEY or give `wandb login`"],
    )

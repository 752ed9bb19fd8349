"""Journals: every figure once, whatever happens; and no secret in what is written."""

import json
import math
import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest

from distill.contracts import Artifact, Recorded, RunFacts
from distill.tracking import open_tracker
from distill.tracking.journal import plain, read_journal, settled
from distill.tracking.journals import Journals, write_receipt
from distill.tracking.redaction import redacted

KEY = "ab" * 32
FACTS = RunFacts("textcnn/kd/seed0", "student", KEY, {"seed": 0})
JOURNAL = f"history/quick/student-{KEY[:32]}.jsonl"


class Notes:
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


def open_disabled(tmp_path, experiment="quick"):
    return open_tracker(
        mode="disabled",
        project="distill",
        entity="lab",
        experiment=experiment,
        store_root=tmp_path,
        tags=["fast"],
        progress=Notes(),
    )


def train(log, steps):
    for step in steps:
        log.metrics({"loss": 1 / step}, step)


def lines_of(tmp_path, journal=JOURNAL):
    return read_journal(tmp_path / journal)[1]


def steps_of(tmp_path):
    return [line["step"] for line in lines_of(tmp_path) if line["event"] == "metrics"]


def events_of(tmp_path, journal=JOURNAL):
    return [line["event"] for line in lines_of(tmp_path, journal)]


def test_every_event_is_a_line(tmp_path):
    tracker = open_disabled(tmp_path)
    with tracker.run(FACTS) as log:
        log.metrics({"loss": 0.5}, 3)
        log.summary({"test/macro_ap": 0.25})
        log.table("per_label", ["label", "f1"], [["joy", 0.5], ["anger", None]])
        log.picture("roc", tmp_path / "scratch" / "roc.png", tmp_path / "results" / "roc.png")
        log.mark("cd" * 32)
        log.artifact(
            Artifact(
                "quick-cnn",
                "student",
                tmp_path / "model",
                {"a.json": {"b": 1}},
                {"size": 3},
                ("x",),
                ("t:v",),
            )
        )
    assert tracker.close() == ""
    found = [json.loads(line) for line in (tmp_path / JOURNAL).read_text().splitlines()]
    head = found.pop(0)
    assert len(head["config"].pop("store")) == 8
    assert head == {
        "event": "run", "step": -1, "id": Journals(tmp_path).run_id(tracker._project, FACTS),
        "name": "textcnn/kd/seed0", "job_type": "student", "group": "quick", "project": "distill", "entity": "lab",
        "tags": ["fast"], "config": {"seed": 0},
    }  # fmt: skip
    assert found == [
        {"event": "metrics", "step": 3, "values": {"loss": 0.5}},
        {"event": "summary", "step": 3, "values": {"test/macro_ap": 0.25}},
        {"event": "table", "step": 3, "name": "per_label", "columns": ["label", "f1"],
         "rows": [["joy", 0.5], ["anger", None]]},
        {"event": "picture", "step": 3, "name": "roc", "path": "../../results/roc.png"},
        {"event": "mark", "step": 3, "key": "cd" * 32},
        {"event": "artifact", "step": 3, "name": "quick-cnn", "type": "student", "folder": "../../model",
         "documents": {"a.json": {"b": 1}}, "metadata": {"size": 3}, "aliases": ["x"], "uses": ["t:v"]},
        {"event": "end", "step": 3, "exit_code": 0},
    ]  # fmt: skip


def test_a_figure_is_on_disk_before_the_next_one(tmp_path):
    with open_disabled(tmp_path).run(FACTS) as log:
        train(log, [1, 2])
        assert steps_of(tmp_path) == [1, 2]


def test_a_resumed_run_has_each_step_once(tmp_path):
    tracker = open_disabled(tmp_path)
    with tracker.run(FACTS) as log:
        train(log, range(1, 8))
        log.summary({"early": 1})
    with tracker.run(FACTS) as log:
        log.rewind(5)
        train(log, range(6, 10))
    assert steps_of(tmp_path) == list(range(1, 10))
    assert events_of(tmp_path) == ["metrics"] * 9 + ["end"]


def test_a_run_that_starts_again_forgets_the_killed_try(tmp_path):
    tracker = open_disabled(tmp_path)
    for last in (8, 3):
        with tracker.run(FACTS) as log:
            train(log, range(1, last))
    assert steps_of(tmp_path) == [1, 2]


def test_a_run_goes_on_after_the_steps_that_are_done(tmp_path):
    """The training is done; the evaluation was killed half-way and is made again."""
    tracker = open_disabled(tmp_path)
    with tracker.run(FACTS) as log:
        train(log, range(1, 4))
        log.mark("training")
        log.table("per_label", ["label"], [["joy"]])
    assert tracker.recorded(FACTS).marks == {"training"}
    with tracker.run(FACTS) as log:
        log.go_on({"training"})
        log.table("per_label", ["label"], [["joy"]])
        log.summary({"test/macro_ap": 0.5})
        log.mark("evaluation")
    assert events_of(tmp_path) == [*["metrics"] * 3, "mark", "table", "summary", "mark", "end"]
    assert {line["step"] for line in lines_of(tmp_path)[3:]} == {3}


def test_what_was_published_stays_recorded(tmp_path):
    tracker = open_disabled(tmp_path)
    assert tracker.recorded(FACTS) == Recorded()
    with tracker.run(FACTS) as log:
        log.mark("training")
        log.artifact(Artifact("quick-teacher", "teacher", metadata={"fingerprint": KEY}))
    with tracker.run(FACTS) as log:
        log.go_on({"training"})
        log.mark("evaluation")
    assert tracker.recorded(FACTS) == Recorded(True, frozenset({"training", "evaluation"}), frozenset({KEY}))


def test_a_run_that_failed_is_not_finished(tmp_path):
    tracker = open_disabled(tmp_path)

    def fails():
        with tracker.run(FACTS) as log:
            train(log, [1])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert lines_of(tmp_path)[-1] == {"event": "end", "step": 1, "exit_code": 1}
    assert not tracker.recorded(FACTS).finished


def test_tables_of_a_step_that_has_not_ended_are_not_settled():
    lines = [
        {"event": event, "n": n}
        for n, event in enumerate(["metrics", "mark", "metrics", "table", "metrics", "end"])
    ]
    assert [line["n"] for line in settled(lines)] == [0, 1, 2, 5]
    lines[4] = {"event": "mark", "n": 4}
    assert [line["n"] for line in settled(lines)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "torn",
    [b'{"event": "metrics", "st', b'{"step": 3', b'{"step": 3}', b"\0\0\0\0", b"[1]", b"\xff\xfe", b"\n"],
)
def test_a_torn_last_line_is_dropped(tmp_path, torn):
    with open_disabled(tmp_path).run(FACTS) as log:
        train(log, [1, 2])
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(torn)
    with open_disabled(tmp_path).run(FACTS) as log:
        log.rewind(2)
        train(log, [3])
    assert steps_of(tmp_path) == [1, 2, 3]
    assert [json.loads(line)["step"] for line in (tmp_path / JOURNAL).read_text().splitlines()] == [
        -1,
        1,
        2,
        3,
        3,
    ]


def test_ids_tell_stores_and_experiments_apart(tmp_path):
    def run_id(store, experiment):
        tracker = open_disabled(tmp_path / store, experiment)
        with tracker.run(FACTS):
            pass
        return read_journal(tmp_path / store / JOURNAL.replace("quick", experiment))[0]["id"]

    ids = [run_id(store, experiment) for store in ("mine", "yours") for experiment in ("quick", "slow")]
    assert len(set(ids)) == 4
    assert [run_id("mine", "quick"), run_id("yours", "slow")] == [ids[0], ids[3]]
    assert ids[0].startswith("student-")


def test_a_second_experiment_begins_with_what_the_first_recorded_of_the_same_step(tmp_path):
    with open_disabled(tmp_path).run(FACTS) as log:
        train(log, [1, 2])
        log.mark(KEY)
        log.artifact(Artifact("quick-teacher", "teacher"))
        train(log, [3])
    with open_disabled(tmp_path, "slow").run(FACTS) as log:
        log.go_on({KEY})
        log.artifact(Artifact("slow-teacher", "teacher"))
    other = JOURNAL.replace("quick", "slow")
    assert events_of(tmp_path, other) == ["metrics", "metrics", "mark", "artifact", "end"]
    assert lines_of(tmp_path, other)[-2]["name"] == "slow-teacher"
    assert read_journal(tmp_path / other)[0]["group"] == "slow"


def test_journals_are_sent_in_the_order_of_the_flow_until_there_is_a_receipt(tmp_path):
    tracker, journals = open_disabled(tmp_path), Journals(tmp_path)
    for job_type in ("frontier", "student", "soft-targets", "speed", "baseline", "data", "teacher"):
        with tracker.run(RunFacts(job_type, job_type, KEY)) as log:
            log.summary({"done": 1})
    paths = journals.all("quick")
    assert [read_journal(path)[0]["job_type"] for path in paths] == [
        "data", "teacher", "soft-targets", "baseline", "student", "speed", "frontier",
    ]  # fmt: skip
    for path in paths[1:]:
        write_receipt(path, {"server": "here"})
    assert journals.unsent() == paths[:1]
    with tracker.run(RunFacts("speed", "speed", KEY)) as log:
        log.summary({"done": 2})
    assert journals.unsent() == [paths[0], paths[5]]


def test_two_processes_write_a_journal_one_after_the_other(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=_write_slowly, args=(tmp_path,))
    process.start()
    while not (tmp_path / JOURNAL).exists():
        time.sleep(0.01)
    with open_disabled(tmp_path).run(FACTS) as log:
        log.go_on({KEY})
        train(log, [4])
    process.join()
    assert steps_of(tmp_path) == [1, 2, 3, 4]


def _write_slowly(tmp_path):
    with open_disabled(tmp_path).run(FACTS) as log:
        for step in range(1, 4):
            train(log, [step])
            time.sleep(0.2)
        log.mark(KEY)


def test_values_become_plain_json():
    import torch

    assert plain(
        {
            "numpy": np.float32(0.5),
            "int": np.int64(3),
            "array": np.arange(2),
            "tensor": torch.tensor(0.25),
            "nan": math.nan,
            "infinite": np.float64(-math.inf),
            "flag": True,
            "nothing": None,
            "path": Path("a/b"),
            "tuple": (1, "x"),
            4: [math.inf],
        }
    ) == {
        "numpy": 0.5,
        "int": 3,
        "array": [0, 1],
        "tensor": 0.25,
        "nan": "nan",
        "infinite": "-inf",
        "flag": True,
        "nothing": None,
        "path": "a/b",
        "tuple": [1, "x"],
        "4": ["inf"],
    }


def test_secrets_are_hidden(monkeypatch):
    monkeypatch.setenv("MY_LAB_TOKEN", "s3cr3t-of-mine")
    monkeypatch.setenv("SHORT_KEY", "abc")
    config = {
        "api_key": "whatever",
        "hf_token": "hf_123",
        "num_tokens": 5,
        "max_token": 7,
        "key": "a key of ours",
        "note": "send s3cr3t-of-mine to abc",
        "hub": ["https://me:pass@example.org/data", "plain@mail.example"],
        "nested": {"password": "x", "temperature": 2.0},
    }
    assert redacted(config) == {
        "api_key": "(hidden)",
        "hf_token": "(hidden)",
        "num_tokens": 5,
        "max_token": 7,
        "key": "a key of ours",
        "note": "send (hidden) to abc",
        "hub": ["https://example.org/data", "plain@mail.example"],
        "nested": {"password": "(hidden)", "temperature": 2.0},
    }

"""History files: every figure once, whatever happens; and no secret in what is written."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from distill.contracts import Artifact
from distill.tracking import open_tracker
from distill.tracking.journal import Journal, plain, read_journal
from distill.tracking.redaction import redacted


class Notes:
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


def open_disabled(tmp_path):
    return open_tracker(
        mode="disabled",
        project="distill",
        entity=None,
        experiment="quick",
        store_root=tmp_path / "store",
        tags=[],
        progress=Notes(),
    )


def run_of(tracker, history, name="textcnn/kd/seed0", config=None):
    return tracker.run(name=name, job_type="student", key="ab" * 32, config=config or {}, history=history)


def train(log, steps):
    for step in steps:
        log.metrics({"loss": 1 / step}, step)


def steps_of(path):
    return [line["step"] for line in read_history(path) if line["event"] == "metrics"]


def test_every_event_is_a_line(tmp_path):
    history = tmp_path / "run" / "history.jsonl"
    (tmp_path / "run" / "model").mkdir(parents=True)
    tracker = open_disabled(tmp_path)
    with run_of(tracker, history) as log:
        log.metrics({"loss": 0.5}, 3)
        log.summary({"test/macro_ap": 0.25})
        log.table("per_label", ["label", "f1"], [["joy", 0.5], ["anger", None]])
        log.picture("roc", tmp_path / "run" / "roc.png")
        log.artifact(
            Artifact("student", "model", tmp_path / "run" / "model", {"size": 3}, ("best",), ("teacher",))
        )
    assert tracker.close() == ""
    assert [json.loads(line) for line in history.read_text().splitlines()] == [
        {"event": "metrics", "step": 3, "values": {"loss": 0.5}},
        {"event": "summary", "step": 3, "values": {"test/macro_ap": 0.25}},
        {"event": "table", "step": 3, "name": "per_label", "columns": ["label", "f1"],
         "rows": [["joy", 0.5], ["anger", None]]},
        {"event": "picture", "step": 3, "name": "roc", "path": "roc.png"},
        {"event": "artifact", "step": 3, "name": "student", "type": "model", "folder": "model",
         "metadata": {"size": 3}, "aliases": ["best"], "uses": ["teacher"]},
    ]  # fmt: skip
    assert not (tmp_path / "store").exists()


def test_a_figure_is_on_disk_before_the_next_one(tmp_path):
    with run_of(open_disabled(tmp_path), tmp_path / "history.jsonl") as log:
        train(log, [1, 2])
        assert steps_of(tmp_path / "history.jsonl") == [1, 2]


def test_a_resumed_run_has_each_step_once(tmp_path):
    path, tracker = tmp_path / "history.jsonl", open_disabled(tmp_path)
    with run_of(tracker, path) as log:
        train(log, range(1, 8))
        log.summary({"early": 1})
    with run_of(tracker, path) as log:
        log.rewind(5)
        train(log, range(6, 10))
    assert steps_of(path) == list(range(1, 10))
    assert [line for line in read_history(path) if line["event"] == "summary"] == []


def test_a_run_that_starts_again_forgets_the_killed_try(tmp_path):
    path, tracker = tmp_path / "history.jsonl", open_disabled(tmp_path)
    with run_of(tracker, path) as log:
        train(log, range(1, 8))
    with run_of(tracker, path) as log:
        train(log, range(1, 3))
    assert steps_of(path) == [1, 2]


def test_a_run_that_goes_on_without_more_to_record_keeps_all(tmp_path):
    path, tracker = tmp_path / "history.jsonl", open_disabled(tmp_path)
    with run_of(tracker, path) as log:
        train(log, range(1, 4))
    before = path.read_bytes()
    with run_of(tracker, path) as log:
        log.rewind(3)
    assert path.read_bytes() == before
    with run_of(tracker, path) as log:
        log.rewind(3)
        log.summary({"x": 1})
    assert path.read_bytes()[: len(before)] == before


def test_what_follows_a_finished_training_stands_on_its_last_step(tmp_path):
    path, tracker = tmp_path / "history.jsonl", open_disabled(tmp_path)
    with run_of(tracker, path) as log:
        train(log, range(1, 4))
    with run_of(tracker, path) as log:
        log.rewind(sys.maxsize)
        log.summary({"test/macro_ap": 0.5})
    assert [(line["event"], line["step"]) for line in read_history(path)][-2:] == [
        ("metrics", 3),
        ("summary", 3),
    ]


@pytest.mark.parametrize(
    "torn", [b'{"event": "metrics", "st', b'{"step": 3', b"\0\0\0\0", b"[1]", b"\xff\xfe", b"\n"]
)
def test_a_torn_last_line_is_dropped(tmp_path, torn):
    path = tmp_path / "history.jsonl"
    with run_of(open_disabled(tmp_path), path) as log:
        train(log, [1, 2])
    with path.open("ab") as file:
        file.write(torn)
    with run_of(open_disabled(tmp_path), path) as log:
        log.rewind(2)
        train(log, [3])
    assert steps_of(path) == [1, 2, 3]
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]


def test_the_last_step_of_a_killed_try_is_known(tmp_path):
    path = tmp_path / "history.jsonl"
    log = HistoryLog(path)
    assert log.recorded_until == -1
    train(log, range(1, 8))
    log.close()
    later = HistoryLog(path)
    later.rewind(4)
    assert (later.recorded_until, later.step) == (7, 4)
    later.close()


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

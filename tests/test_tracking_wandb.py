"""wandb, the real SDK without a server: what it keeps, what it must not keep, and that it is never in the way."""

import json
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from distill.contracts import Artifact
from distill.tracking import describe_access, open_tracker, wandb_settings, wandb_tracker
from distill.tracking.history import read_history
from distill.tracking.patience import within

KEY = "ab" * 32
API_KEY = "0123456789abcdef" * 3
RUN_ID = f"student-{KEY[:32]}"


class Notes:
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A machine where nobody has logged in: an empty home, no variables of wandb, a folder to run in."""
    for name in [n for n in os.environ if n.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for folder in ("home", "here"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.fixture
def open_one(place):
    opened = []

    def make(mode="auto", experiment="quick"):
        tracker = open_tracker(
            mode=mode,
            project="distill",
            entity=None,
            experiment=experiment,
            store_root=place / "store",
            tags=["fast"],
            progress=notes,
        )
        tracker.notes = notes.texts
        opened.append(tracker)
        return tracker

    notes = Notes()
    yield make
    for tracker in opened:
        tracker.close()


def a_run(tracker, place, number=0, key=KEY, config=None):
    history = place / f"history{number}.jsonl"
    return tracker.run(
        name=f"textcnn/kd/seed{number}", job_type="student", key=key, config=config or {}, history=history
    )


def offline_files(place):
    return sorted((place / "store" / "wandb" / "wandb").glob("offline-run-*/run-*.wandb"))


def inspect(path, *flags):
    command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json", *flags, path]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def records(path):
    return [json.loads(line) for line in inspect(path).splitlines()]


def history_of(path):
    return [record["history"]["item"] for record in records(path) if record["type"] == "history"]


def test_an_offline_run_holds_everything(open_one, place):
    (place / "model").mkdir()
    (place / "model" / "weights").write_bytes(b"w" * 1000)
    matplotlib.image.imsave(place / "roc.png", np.zeros((4, 4)))
    (place / "frontier.html").write_text("<p>frontier</p>")
    tracker = open_one()
    with a_run(tracker, place, config={"students": {"textcnn": {"widths": (2, 3)}}}) as log:
        for step in range(1, 6):
            log.metrics({"loss": np.float32(1 / step), "validation/macro_ap": step / 10}, step)
        log.table("per_label", ["label", "f1"], [["joy", 0.5], ["anger", None], ["fear", "undefined"]])
        log.picture("roc", place / "roc.png")
        log.picture("frontier", place / "frontier.html")
        log.artifact(
            Artifact("textcnn/kd", "student", place / "model", {"f1": float("nan")}, ("best",), ("bert",))
        )
        log.summary({"test/macro_ap": np.float64(0.25), "size/bytes": 1000})
    said = tracker.close()
    (file,) = offline_files(place)
    summary = json.loads(inspect(file, "--summary"))
    assert (summary["name"], summary["run_id"], summary["project"]) == ("textcnn/kd/seed0", RUN_ID, "distill")
    assert (summary["state"], summary["exit_code"], summary["step"], summary["tags"]) == (
        "finished",
        0,
        5,
        ["fast"],
    )
    assert summary["config"] == {"fingerprint": KEY, "students": {"textcnn": {"widths": [2, 3]}}}
    assert (summary["summary"]["test/macro_ap"], summary["summary"]["size/bytes"]) == (0.25, 1000)
    assert summary["summary"]["per_label"]["nrows"] == 3
    run = next(r["run"] for r in records(file) if r["type"] == "run")
    assert (run["run_group"], run["job_type"]) == ("quick", "student")
    rows = history_of(file)
    assert [row["_step"] for row in rows] == [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["validation/macro_ap"] for row in rows] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert {"per_label._type", "roc._type", "frontier._type"} <= rows[-1].keys()
    artifact = next(
        r for r in records(file) if r["type"] == "artifact" and r["artifact"]["type"] == "student"
    )
    assert artifact["artifact"]["name"] == "textcnn-kd"
    assert json.loads(artifact["artifact"]["metadata"]) == {"f1": "nan", "uses": ["bert"]}
    assert [line["event"] for line in read_history(place / "history0.jsonl")] == [
        *["metrics"] * 5,
        "table",
        "picture",
        "picture",
        "artifact",
        "summary",
    ]
    folder = shlex.quote(str(place / "store" / "wandb" / "wandb"))
    assert said == f"wandb: runs kept offline: 1; to send them: wandb sync {folder}/offline-run-*"
    assert tracker.notes == []


def test_everything_lies_in_the_store(open_one, place, capfd):
    before = dict(os.environ)
    tracker = open_one()
    with a_run(tracker, place) as log:
        log.metrics({"loss": 1.0}, 1)
        log.table("t", ["a"], [[1]])
    tracker.close()
    assert dict(os.environ) == before
    assert list((place / "home").iterdir()) == list((place / "here").iterdir()) == []
    assert sorted(p.name for p in place.iterdir()) == ["here", "history0.jsonl", "home", "store"]
    assert [p.name for p in (place / "store").iterdir()] == ["wandb"]
    assert capfd.readouterr() == ("", "")


def test_secrets_are_nowhere(open_one, place, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", API_KEY)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HF_TOKEN", "hf_aVerySecretToken")
    tracker = open_one()
    config = {"data": "https://me:sesame-open@example.org", "note": f"{API_KEY} hf_aVerySecretToken"}
    with a_run(tracker, place, config=config) as log:
        log.metrics({"loss": 1.0}, 1)
    tracker.close()
    files = [p for p in place.rglob("*") if p.is_file()]
    assert len(files) > 5
    for secret in (API_KEY, "hf_aVerySecretToken", "sesame-open"):
        assert [p for p in files if secret.encode() in p.read_bytes()] == []


def test_a_resumed_offline_run_has_each_step_once(open_one, place):
    tracker = open_one()
    with suppress(KeyboardInterrupt), a_run(tracker, place) as log:
        for step in range(1, 6):
            log.metrics({"loss": 1.0}, step)
        raise KeyboardInterrupt
    time.sleep(1.1)  # the name of wandb's folder holds the second
    with a_run(tracker, place) as log:
        log.rewind(3)
        for step in range(4, 9):
            log.metrics({"loss": 1.0}, step)
    first, second = offline_files(place)
    assert {json.loads(inspect(f, "--summary"))["run_id"] for f in (first, second)} == {RUN_ID}
    assert [row["step"] for f in (first, second) for row in history_of(f)] == list(range(1, 9))
    assert [line["step"] for line in read_history(place / "history0.jsonl")] == list(range(1, 9))
    assert [json.loads(inspect(f, "--summary"))["exit_code"] for f in (first, second)] == [1, 0]


def test_nothing_is_imported_or_written_before_the_first_run(place):
    code = """
import sys
from pathlib import Path
from distill.tracking import open_tracker
tracker = open_tracker(mode="auto", project="p", entity=None, experiment="e", store_root=Path("store"), tags=[],
                       progress=None)
print(repr(tracker.close()), "wandb" in sys.modules, Path("store").exists())
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "'' False False\n"


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize(
    ("wanted", "environment", "netrc", "mode"),
    [
        ("auto", {}, False, "offline"),
        ("auto", {"WANDB_API_KEY": API_KEY}, False, "online"),
        ("auto", {}, True, "online"),
        ("auto", {"WANDB_API_KEY": API_KEY, "WANDB_MODE": "offline"}, False, "offline"),
        ("auto", {"WANDB_API_KEY": API_KEY, "WANDB_MODE": "disabled"}, False, "disabled"),
        ("auto", {"WANDB_MODE": "online"}, False, "offline"),
        ("online", {"WANDB_API_KEY": API_KEY}, False, "online"),
        ("online", {"WANDB_API_KEY": API_KEY, "WANDB_MODE": "offline"}, False, "offline"),
        ("online", {"WANDB_API_KEY": API_KEY, "WANDB_MODE": "disabled"}, False, "disabled"),
        ("online", {}, False, "offline"),
        ("offline", {"WANDB_API_KEY": API_KEY, "WANDB_MODE": "online"}, False, "offline"),
    ],
)
def test_the_mode_asks_nobody(place, monkeypatch, wanted, environment, netrc, mode):
    server = f"127.0.0.1:{closed_port()}"
    monkeypatch.setenv("WANDB_BASE_URL", f"http://{server}")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if netrc:
        (place / "home" / ".netrc").write_text(f"machine {server}\n  login user\n  password {API_KEY}\n")
    with wandb_settings.environment(place / "wandb"):
        try:
            assert wandb_settings.resolve_mode(wanted) == mode
        finally:
            wandb_settings.stop_service()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"WANDB_API_KEY": API_KEY}, "online at http://127.0.0.1:9"),
        ({}, "offline (no key for http://127.0.0.1:9, or WANDB_MODE says so); see `wandb login`"),
        (
            {"WANDB_MODE": "disabled"},
            "disabled (no key for http://127.0.0.1:9, or WANDB_MODE says so); see `wandb login`",
        ),
        ({"WANDB_BASE_URL": ""}, "cannot be used (1 validation error for Settings)"),
    ],
)
def test_a_doctor_can_tell_what_auto_comes_to(place, monkeypatch, environment, said):
    for name, value in {"WANDB_BASE_URL": "http://127.0.0.1:9", **environment}.items():
        monkeypatch.setenv(name, value)
    assert describe_access() == said
    assert list((place / "home").iterdir()) == []


def test_online_without_a_key_is_offline_and_said_once(open_one, place):
    tracker = open_one("online")
    for number in range(2):
        with a_run(tracker, place, number, key=str(number) * 64) as log:
            log.metrics({"loss": 1.0}, 1)
    assert tracker.notes == [
        "wandb: there is no key (WANDB_API_KEY or `wandb login`), or WANDB_MODE says offline: runs are kept offline"
    ]
    assert len(offline_files(place)) == 2


def test_a_server_that_is_away_costs_seconds_once(open_one, place, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("WANDB_API_KEY", API_KEY)
    tracker, begun = open_one(), time.monotonic()
    for number in range(3):
        with a_run(tracker, place, number, key=str(number) * 64) as log:
            log.metrics({"loss": 1.0}, 1)
    assert time.monotonic() - begun < 15
    (note,) = tracker.notes
    assert note.startswith("wandb failed (")
    assert note.endswith("): the history files have every figure, later runs are kept offline")
    assert [history_of(file)[0]["step"] for file in offline_files(place)] == [1, 1, 1]
    assert "runs kept offline: 3" in tracker.close()


@pytest.fixture
def silent_server():
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_is_silent_costs_seconds_once(open_one, place, monkeypatch, silent_server):
    monkeypatch.setattr(wandb_settings, "INIT_SECONDS", 1.0)
    monkeypatch.setenv("WANDB_BASE_URL", silent_server)
    monkeypatch.setenv("WANDB_API_KEY", API_KEY)
    tracker, begun = open_one(), time.monotonic()
    for number in range(2):
        with a_run(tracker, place, number, key=str(number) * 64) as log:
            log.metrics({"loss": 1.0}, 1)
    assert "runs kept offline: 2" in tracker.close()
    assert time.monotonic() - begun < 15
    assert len(tracker.notes) == 1


def test_a_failure_of_the_sdk_never_reaches_the_training(open_one, place, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "")  # which wandb refuses with an error of pydantic
    tracker = open_one()
    with a_run(tracker, place) as log:
        log.metrics({"loss": 1.0}, 1)
        log.table("t", ["a"], [[1]])
    assert [line["event"] for line in read_history(place / "history0.jsonl")] == ["metrics", "table"]
    assert len(tracker.notes) == 1
    assert tracker.close() == ""


def test_a_failure_within_a_run_leaves_it_its_history(open_one, place):
    tracker = open_one()
    with a_run(tracker, place) as log:
        log.metrics({"loss": 1.0}, 1)
        log.picture("roc", place / "missing.png")
        log.metrics({"loss": 1.0}, 2)
    with a_run(tracker, place, 1, key="f" * 64) as log:
        log.metrics({"loss": 1.0}, 1)
    assert [line["step"] for line in read_history(place / "history0.jsonl")] == [1, 1, 2]
    assert len(tracker.notes) == 1
    assert sorted(len(history_of(file)) for file in offline_files(place)) == [1, 1]


def test_a_run_that_cannot_be_finished_is_named(open_one, place, monkeypatch):
    monkeypatch.setattr(wandb_tracker, "FINISH_SECONDS", 0.2)
    tracker = open_one("offline")
    tracker._mode = "online"
    monkeypatch.setattr(tracker, "_init", lambda *_: StuckRun(place / "run-1" / "files"))
    with a_run(tracker, place) as log:
        log.metrics({"loss": 1.0}, 1)
    (note,) = tracker.notes
    assert note == (
        "wandb failed (no answer within 0.2 seconds): "
        "the history files have every figure, later runs are kept offline"
    )
    assert tracker.close() == (
        "wandb: not everything of these runs may have arrived; "
        f"to send what is missing: wandb sync --include-online {place}/run-1"
    )


class StuckRun:
    def __init__(self, folder):
        self.dir = str(folder)

    def log(self, values, step):
        assert values == {"loss": 1.0, "step": 1}

    def finish(self, exit_code):
        threading.Event().wait(5)


def test_patience_ends():
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"^no answer within 0\.1 seconds$"):
        within(0.1, lambda: threading.Event().wait(5))
    assert time.monotonic() - begun < 2


def test_patience_passes_errors_through():
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)

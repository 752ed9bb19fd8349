"""wandb without a server: that it is never in the way, keeps nothing where it should not, and is asked for nothing."""

import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from distill.contracts import Artifact, RunFacts
from distill.tracking import access, describe_access, open_tracker, wandb_runs, wandb_settings
from distill.tracking.journal import read_journal
from distill.tracking.patience import within

KEY = "ab" * 32
API_KEY = "0123456789abcdef" * 3


class Notes:
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)

    def advance(self, done, total, note=""):
        pass


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


def a_run(tracker, number=0, config=None):
    return tracker.run(RunFacts(f"textcnn/kd/seed{number}", "student", f"{number}{KEY}", config or {}))


def journal_of(place, number=0):
    return read_journal(next((place / "store" / "history" / "quick").glob(f"student-{number}*.jsonl")))[1]


def events_of(place, number=0):
    return [line["event"] for line in journal_of(place, number)]


def test_without_a_key_everything_is_kept_and_the_command_to_send_it_is_told(open_one, place):
    tracker = open_one()
    for number in range(2):
        with a_run(tracker, number) as log:
            log.metrics({"loss": 1.0}, 1)
            log.summary({"test/macro_ap": 0.25})
    assert (
        tracker.close()
        == f"wandb: runs still to be sent: 2; to send them: distill sync --store {place / 'store'}"
    )
    assert events_of(place, 0) == events_of(place, 1) == ["metrics", "summary", "end"]
    assert tracker.notes == []


def test_everything_lies_in_the_store(open_one, place, capfd):
    before = dict(os.environ)
    tracker = open_one()
    with a_run(tracker) as log:
        log.metrics({"loss": 1.0}, 1)
        log.table("t", ["a"], [[1]])
    tracker.close()
    assert dict(os.environ) == before
    assert list((place / "home").iterdir()) == list((place / "here").iterdir()) == []
    assert sorted(p.name for p in place.iterdir()) == ["here", "home", "store"]
    assert sorted(p.name for p in (place / "store").iterdir()) == ["history", "wandb"]
    assert capfd.readouterr() == ("", "")


def test_secrets_are_nowhere(open_one, place, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", API_KEY)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HF_TOKEN", "hf_aVerySecretToken")
    tracker = open_one()
    config = {"data": "https://me:sesame-open@example.org", "note": f"{API_KEY} hf_aVerySecretToken"}
    with a_run(tracker, config=config) as log:
        log.metrics({"loss": 1.0}, 1)
        log.artifact(
            Artifact("data", "dataset", documents={"d.json": {"from": config["data"]}}, metadata=config)
        )
    tracker.close()
    files = [p for p in place.rglob("*") if p.is_file()]
    assert len(files) >= 2
    for secret in (API_KEY, "hf_aVerySecretToken", "sesame-open"):
        assert [p for p in files if secret.encode() in p.read_bytes()] == []


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
            assert access.resolve_mode(wanted) == mode
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
        with a_run(tracker, number) as log:
            log.metrics({"loss": 1.0}, 1)
    assert tracker.notes == [
        "wandb: there is no key (WANDB_API_KEY or `wandb login`), or WANDB_MODE says offline: runs are kept offline"
    ]
    assert "runs still to be sent: 2" in tracker.close()


def test_a_disabled_dashboard_is_not_told_of(open_one, place, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    tracker = open_one()
    with a_run(tracker) as log:
        log.metrics({"loss": 1.0}, 1)
    assert tracker.close() == ""


def test_a_server_that_is_away_costs_seconds_once(open_one, place, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("WANDB_API_KEY", API_KEY)
    tracker, begun = open_one(), time.monotonic()
    for number in range(3):
        with a_run(tracker, number) as log:
            log.metrics({"loss": 1.0}, 1)
    assert "runs still to be sent: 3" in tracker.close()
    assert time.monotonic() - begun < 15
    (note,) = tracker.notes
    assert note.startswith("wandb failed (")
    assert note.endswith("): the journals have everything, to be sent later")
    assert [events_of(place, number) for number in range(3)] == [["metrics", "end"]] * 3


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
        with a_run(tracker, number) as log:
            log.metrics({"loss": 1.0}, 1)
    assert "runs still to be sent: 2" in tracker.close()
    assert time.monotonic() - begun < 15
    assert len(tracker.notes) == 1


def test_a_failure_of_the_sdk_never_reaches_the_training(open_one, place, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "")  # which wandb refuses with an error of pydantic
    tracker = open_one()
    with a_run(tracker) as log:
        log.metrics({"loss": 1.0}, 1)
        log.table("t", ["a"], [[1]])
    assert events_of(place) == ["metrics", "table", "end"]
    assert len(tracker.notes) == 1


def test_whether_a_server_answers(place, monkeypatch, silent_server):
    monkeypatch.setattr(wandb_runs, "REQUEST_SECONDS", 0.2)
    for address in (silent_server, f"http://127.0.0.1:{closed_port()}"):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        assert not wandb_runs.server_answers()
        wandb_settings.stop_service()


class Refuses(BaseHTTPRequestHandler):
    """A proxy, or a server, that answers everything with an error."""

    def do_GET(self):
        self.send_error(502)

    def log_message(self, *_):
        """Say nothing."""


class SendsAway(Refuses):
    """A server that names a place out of reach."""

    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", f"http://127.0.0.1:{closed_port()}/")
        self.end_headers()


def test_a_redirection_is_an_answer(place, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), SendsAway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{server.server_port}")
        assert wandb_runs.server_answers()
        wandb_settings.stop_service()
        server.shutdown()


def test_a_server_behind_a_proxy_answers(place, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("WANDB_BASE_URL", "http://wandb.invalid")
        assert wandb_runs.server_answers()
        wandb_settings.stop_service()
        proxy.shutdown()


def test_patience_is_longer_while_the_other_side_is_alive():
    answers = iter([True, True, False])
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.1, lambda: threading.Event().wait(9), longer=60.0, alive=lambda: next(answers))
    assert 2 <= time.monotonic() - begun < 4


def test_patience_ends():
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"^no answer within 0\.1 seconds$"):
        within(0.1, lambda: threading.Event().wait(5))
    assert time.monotonic() - begun < 2


def test_patience_passes_errors_through():
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)

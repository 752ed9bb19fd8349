"""A whole experiment in wandb: every run, row, table, artifact and edge, as `wandb.Api` alone reads it back."""

import json
from pathlib import Path

import pytest
from wandb_rounds import PROJECT, rows
from wandb_server.fixtures import API_KEY

from distill.cli import main
from distill.fingerprint import file_hash
from distill.tracking.journal import ROWS, read_journal

JOB_TYPES = ["data", "teacher", "soft-targets", *["student"] * 4, "speed", "frontier"]


@pytest.fixture
def api(online_experiment):
    import wandb

    return wandb.Api()


@pytest.fixture
def journals(online_experiment):
    """Run id -> what the run is, and its lines."""
    found = map(read_journal, online_experiment.store.glob("history/*/*.jsonl"))
    return {about["id"]: (about, lines) for about, lines in found}


@pytest.fixture
def runs(api):
    return {run.id: run for run in api.runs(PROJECT, filters={"group": "reviews"})}


def of_kind(lines, *events):
    return [line for line in lines if line["event"] in events]


def test_every_run_is_there(runs, journals):
    assert runs.keys() == journals.keys()
    assert sorted(run.job_type for run in runs.values()) == sorted(JOB_TYPES)
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
    assert curves == 4 * 2  # four students, twenty steps, a row for ten


def test_the_curves_tell_how_the_training_went(runs):
    student = next(run for run in runs.values() if run.name == "cnn/distilled/seed0")
    first = next(row for row in rows(student) if "train/loss" in row)
    assert {
        "train/loss",
        "train/soft_loss",
        "train/hard_loss",
        "train/learning_rate",
        "train/gradient_norm",
    } < first.keys()
    assert first["train/texts_per_second"] > 0
    assert len([row for row in rows(student) if "validation/macro_ap" in row]) == 5


def test_every_final_figure_is_there(runs, journals, online_experiment):
    for name, (_, lines) in journals.items():
        for line in of_kind(lines, "summary"):
            for key, value in line["values"].items():
                found = runs[name].summary[key]
                assert (dict(found) if isinstance(value, dict) else found) == value
    folder = online_experiment.store / "experiments/reviews/students/cnn/distilled/seed0"
    metrics = json.loads((folder / "metrics.json").read_text())
    student = next(run for run in runs.values() if run.name == "cnn/distilled/seed0")
    for split in ("validation", "test"):
        for key, value in metrics[split].items():
            assert student.summary[f"{split}/{key}"] == value
    assert student.summary["speed/latency_p90_ms"] == metrics["speed"]["onnx"]["latency_p90_ms"]
    assert student.summary["size/bytes"] == metrics["speed"]["bytes"]["deployed"]
    assert student.summary["frontier/hypervolume_contribution"] >= 0


def test_every_table_and_picture_is_there(api, runs, journals, tmp_path, online_experiment):
    seen = set()
    for name, (_, lines) in journals.items():
        for line in of_kind(lines, "table"):
            table = api.artifact(f"{PROJECT}/run-{name}-{line['name']}:latest").get(line["name"])
            assert (table.columns, table.data) == (line["columns"], line["rows"])
            seen.add(line["name"])
        for line in of_kind(lines, "picture"):
            original = online_experiment.store / "history" / "reviews" / line["path"]
            with runs[name].file(runs[name].summary[line["name"]]["path"]).download(tmp_path / name) as copy:
                assert Path(copy.name).read_bytes() == original.read_bytes()
            seen.add(line["name"])
    assert seen == {
        "per_label", "roc", "precision_recall", "calibration", "confusion", "confusion_matrix",
        "frontier", "frontier_page",
    }  # fmt: skip


def test_every_artifact_is_there_with_the_whole_chain(api, online_experiment, tmp_path):
    folder = online_experiment.store / "experiments/reviews/students/cnn/distilled/seed0"
    student = api.artifact(f"{PROJECT}/reviews-cnn:cnn-distilled-seed0")
    place = Path(student.download(tmp_path / "student"))
    assert {path.name: file_hash(path) for path in place.iterdir()} == {
        path.name: file_hash(path) for path in folder.iterdir() if path.name != "manifest.json"
    }
    run = student.logged_by()
    assert (run.name, run.job_type) == ("cnn/distilled/seed0", "student")
    data, soft_targets = sorted(run.used_artifacts(), key=lambda one: one.name)
    assert (data.name, data.type) == ("reviews-data:v0", "dataset")
    assert (soft_targets.name, soft_targets.type) == ("reviews-soft-targets:v0", "soft-targets")
    maker = soft_targets.logged_by()
    teacher = next(one for one in maker.used_artifacts() if one.type == "teacher")
    assert [one.name for one in teacher.logged_by().used_artifacts()] == [data.name]
    assert {one.name for one in teacher.used_by()} == {"soft-targets"}
    assert {one.name for one in soft_targets.used_by()} == {"cnn/distilled/seed0", "mean/distilled/seed0"}
    assert data.logged_by().job_type == "data"


def test_the_texts_stay_at_home(api, tmp_path):
    place = Path(api.artifact(f"{PROJECT}/reviews-data:latest").download(tmp_path / "data"))
    assert [path.name for path in place.iterdir()] == ["dataset.json"]
    described = json.loads((place / "dataset.json").read_text())
    assert described["origin"] == "reviews"
    assert described["splits"]["train"]["texts"] == 120
    assert len(described["checksums"]["train.parquet"]) == 64


def test_best_is_the_best_on_validation(api):
    for student in ("cnn", "mean"):
        versions = list(api.artifacts("student", f"{PROJECT}/reviews-{student}"))
        assert len(versions) == 2
        best = max(versions, key=lambda one: one.metadata["quality"])
        assert [one.name for one in versions if "best" in one.aliases] == [best.name]
        assert best.metadata["quality"] == best.metadata["validation"][best.metadata["metric"]]


def test_nothing_secret_and_no_place_of_this_machine_is_there(online_experiment, journals):
    """But for the SDK's manifests, which name the place of each file that it uploads."""
    files = (online_experiment.file.parent / "server").rglob("*")
    sent = {path: path.read_bytes() for path in files if path.is_file()}
    kept = json.dumps(list(journals.values())).encode()
    assert len(sent) > 50
    assert not any(API_KEY.encode() in content for content in [*sent.values(), kept])
    place = str(online_experiment.file.parent).encode()
    assert [
        path for path, content in sent.items() if place in content and path.name != "wandb_manifest.json"
    ] == []
    assert place not in kept


def test_given_again_nothing_is_sent_again(online_experiment, capsys):
    requests = len(online_experiment.server.requests)
    options = ["--set", "runtime.wandb.mode=auto", "--set", "training.max_epochs=5"]
    assert main(["run", str(online_experiment.file), *options]) == 0
    assert "0 steps done" in capsys.readouterr().err
    assert len(online_experiment.server.requests) == requests

"""A whole experiment in wandb: every run, row, table, artifact and edge, as `wandb.Api` alone reads it back."""

import json

import pytest
from wandb_rounds import rows

from distill.cli import main
from distill.tracking.journal import ROWS, read_journal

PROJECT = "laboratory/distill"
ONLINE = "runtime.wandb.mode=auto"


@pytest.fixture
def ran(wandb_login, experiment_file, monkeypatch, capsys):
    """The small experiment, run online."""
    monkeypatch.chdir(experiment_file.parent)
    assert main(["run", str(experiment_file), "--set", ONLINE]) == 0
    return capsys.readouterr()


def journals(folder):
    return {read_journal(path)[0]["id"]: read_journal(path) for path in folder.glob(".distill/history/*/*.jsonl")}


def test_everything_is_read_back(ran, wandb_api, experiment_file):
    assert "wandb" not in ran.out, ran.out
    there = {run.id: run for run in wandb_api.runs(PROJECT, filters={"group": "reviews"})}
    here = journals(experiment_file.parent)
    assert there.keys() == here.keys()
    assert sorted(run.job_type for run in there.values()) == sorted(
        ["data", "teacher", "soft-targets", "speed", "frontier", *["student"] * 4]
    )
    for name, (about, lines) in here.items():
        run = there[name]
        assert (run.state, run.name, run.job_type) == ("finished", about["name"], about["job_type"])
        assert run.config == about["config"]
        wanted = [line for line in lines if line["event"] in ROWS]
        found = rows(run)
        assert [row["_step"] for row in found] == list(range(len(wanted))), run.name
        for line, row in zip(wanted, found, strict=True):
            if line["event"] == "metrics":
                assert {key: row[key] for key in line["values"]} == line["values"]


def test_dump(ran, wandb_api, experiment_file):
    print(ran.err)
    for kind in ("dataset", "teacher", "soft-targets", "student"):
        for collection in wandb_api.artifact_type(kind, PROJECT).collections():
            for one in collection.artifacts():
                print(kind, one.name, one.aliases, one.logged_by().name, [r.name for r in one.used_by()], list(one.metadata))
    for run in wandb_api.runs(PROJECT):
        print(run.name, run.job_type, sorted(run.summary.keys()), [a.name for a in run.used_artifacts()])
    assert 0

"""Runs: what the real wandb SDK sends to the test server comes back through `wandb.Api` alone."""

import json
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from wandb_rounds import PROJECT, fresh, rows, start
from wandb_server.runs import make_run


def test_a_run_is_read_back_as_it_was_logged(wandb, wandb_api):
    about = {"group": "quick", "job_type": "student", "tags": ["fast", "small"], "notes": "a note"}
    with start(wandb, id="student-1", name="cnn/kd/0", config={"seed": 3, "net": {"dim": 8}}, **about) as run:
        run.define_metric("quality", summary="max")
        for step in range(1, 6):
            run.log(
                {"loss": 1 / step, "quality": [1, 5, 2, 4, 3][step - 1], "at": {"epoch": step}}, step=step
            )
        run.summary["size"] = 1000
    found = wandb_api.run(f"{PROJECT}/student-1")
    assert (found.name, found.state, found.group, found.job_type) == (
        "cnn/kd/0",
        "finished",
        "quick",
        "student",
    )
    assert (found.tags, found.notes) == (["fast", "small"], "a note")
    assert found.config == {"seed": 3, "net": {"dim": 8}}
    assert [(row["_step"], row["loss"]) for row in rows(found)] == [(step, 1 / step) for step in range(1, 6)]
    assert [row["at"] for row in found.scan_history()] == [{"epoch": step} for step in range(1, 6)]
    assert (found.summary["size"], found.summary["loss"], found.summary["quality"]["max"]) == (1000, 0.2, 5)
    assert found.lastHistoryStep == 5
    assert len(found.history(samples=3, pandas=False)) == 3
    assert found.history(keys=["at.epoch"], pandas=False)[1] == {"_step": 2, "at.epoch": 2}


def test_media_and_files_are_read_back(wandb, wandb_api, tmp_path):
    with start(wandb) as run:
        pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
        run.log({"table": wandb.Table(columns=["label", "f1"], data=[["joy", 0.5], ["fear", None]])})
        run.log({"image": wandb.Image(pixels), "page": wandb.Html("<p>frontier</p>", inject=False)})
    found = wandb_api.run(f"{PROJECT}/{run.id}")
    with found.file(found.summary["image"]["path"]).download(tmp_path) as image:
        assert (matplotlib.image.imread(image.name) * 255 == pixels).all()
    with found.file(found.summary["page"]["path"]).download(tmp_path) as page:
        assert page.read() == "<p>frontier</p>"
    table = wandb_api.artifact(f"{PROJECT}/run-{run.id}-table:latest").get("table")
    assert (table.columns, table.data) == (["label", "f1"], [["joy", 0.5], ["fear", None]])
    assert {"config.yaml", "wandb-metadata.json", "wandb-summary.json"} <= {
        file.name for file in found.files()
    }
    assert {file.name for file in found.files(pattern="%.json", per_page=1)} >= {"wandb-summary.json"}
    (tmp_path / "card.md").write_text("a card")
    assert found.upload_file(str(tmp_path / "card.md"), root=str(tmp_path)).size == 6


def test_the_console_of_a_process_is_read_back(wandb_api):
    code = """
import wandb
with wandb.init(project="distill", id="one", settings=wandb.Settings(console="wrap")):
    print("first\\nsecond")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    lines = list(wandb_api.run(f"{PROJECT}/one").console_logs())
    assert [(line.number, line.content) for line in lines] == [(0, "first"), (1, "second")]
    assert [line.content for line in wandb_api.run(f"{PROJECT}/one").console_logs(last=1)] == ["second"]


def test_a_resumed_run_goes_on_where_it_was(wandb, wandb_api):
    for begin, end in ((10, 13), (13, 15)):
        with start(wandb, id="one", resume="allow", config={f"from{begin}": True}) as run:
            assert (run.resumed, run.starting_step) == ((True, 13) if begin == 13 else (False, 0))
            for step in range(begin, end):
                run.log({"loss": step}, step=step)
            run.summary[f"until{end}"] = True
    found = wandb_api.run(f"{PROJECT}/one")
    assert [(row["_step"], row["loss"]) for row in rows(found)] == [(step, step) for step in range(10, 15)]
    assert found.config == {"from10": True, "from13": True}
    assert (found.summary["until13"], found.summary["until15"]) == (True, True)


def test_the_state_of_a_run_is_told(wandb, wandb_api, wandb_login):
    run = start(wandb)
    assert fresh(wandb_api, run).state == "running"
    wandb_login.state.crashes_after = 0
    assert fresh(wandb_api, run).state == "crashed"
    run.finish(exit_code=3)
    assert fresh(wandb_api, run).state == "failed"


@pytest.fixture
def five_runs(wandb_login):
    """Runs of two students and three seeds, made on the server."""
    state = wandb_login.state
    for number in range(5):
        run = make_run(state, state.project("distill"), f"run{number}", state="finished")
        run.config = {
            "seed": {"value": number % 3},
            "student": {"value": {"kind": "cnn" if number < 2 else "mean"}},
        }
        run.summary = json.dumps({"quality": [0.2, 0.9, 0.5, 0.7, 0.1][number], "speed": {"p90": number}})
        run.tags = ["fast"] if number % 2 else ["fast", "odd"]
        run.group = "quick" if number < 4 else "slow"
        run.job_type = "student"
    run.state = "failed"
    del run.config["seed"]


def test_runs_are_selected(wandb_api, five_runs):
    def names(**filters):
        return [int(run.id[-1]) for run in wandb_api.runs(PROJECT, filters=filters)]

    assert names() == [0, 1, 2, 3, 4]
    assert names(group="quick", jobType="student") == [0, 1, 2, 3]
    assert names(tags="odd") == [0, 2, 4]
    assert names(tags={"$in": ["odd", "even"]}) == [0, 2, 4]
    assert names(state="failed") == [4]
    assert names(**{"config.seed": 0}) == names(**{"config.seed.value": 0}) == [0, 3]
    assert names(**{"config.seed": {"$exists": False}}) == [4]
    assert names(**{"config.student.kind": "cnn"}) == [0, 1]
    assert names(**{"summary_metrics.quality": {"$gte": 0.5, "$lt": 0.9}}) == [2, 3]
    assert names(**{"summary_metrics.speed.p90": {"$gt": 3}}) == [4]
    assert names(**{"config.seed": {"$lte": 0}}) == [0, 3]
    assert names(**{"$or": [{"group": "slow"}, {"config.seed": {"$in": [1]}}]}) == [1, 4]
    assert names(**{"$and": [{"group": "quick"}, {"config.seed": {"$ne": 0}}]}) == [1, 2]
    assert names(**{"$nor": [{"group": "quick"}]}) == names(display_name="run4") == [4]
    assert names(name={"$regex": "[23]$"}) == names(name={"$nin": ["run0", "run1", "run4"]}) == [2, 3]


def test_runs_are_ordered_and_come_in_pages(wandb_api, five_runs):
    def names(order):
        return [int(run.id[-1]) for run in wandb_api.runs(PROJECT, order=order, per_page=2)]

    assert names("-created_at") == [4, 3, 2, 1, 0]
    assert names("+summary_metrics.quality") == [4, 0, 2, 3, 1]
    assert names("-config.seed.value") == [2, 1, 0, 3, 4]
    assert len(wandb_api.runs(PROJECT, per_page=2)) == 5
    assert [project.name for project in wandb_api.projects()] == ["distill"]


def test_a_run_is_changed_and_deleted(wandb_api, five_runs):
    run = wandb_api.run(f"{PROJECT}/run1")
    run.tags.append("best")
    run.config["note"] = "x"
    run.summary["extra"] = 1
    run.update()
    run.summary.update()
    again = fresh(wandb_api, run)
    assert (again.tags, again.config["note"], again.summary["extra"]) == (["fast", "best"], "x", 1)
    again.delete()
    wandb_api.flush()
    assert [run.id for run in wandb_api.runs(PROJECT)] == ["run0", "run2", "run3", "run4"]

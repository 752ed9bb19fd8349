"""The test server against the real wandb SDK: what is sent comes back through `wandb.Api` alone."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import requests
from wandb_server.fixtures import running_server
from wandb_server.runs import make_run

from distill.contracts import Artifact
from distill.tracking import open_tracker

PROJECT = "laboratory/distill"


@pytest.fixture
def wandb(wandb_login):
    """Return the SDK, logged in."""
    import wandb

    return wandb


@pytest.fixture
def api(wandb):
    return wandb.Api()


def start(wandb, **settings):
    return wandb.init(project="distill", **settings)


def rows(run):
    return list(run.scan_history(use_cache=False))


def fresh(api, run):
    """Return a run as the server knows it now, nothing remembered."""
    api.flush()
    return api.run(f"{PROJECT}/{run.id}")


def test_it_starts_at_once(tmp_path):
    begun = time.monotonic()
    with running_server(tmp_path):
        assert time.monotonic() - begun < 0.2
    assert time.monotonic() - begun < 0.4


def test_a_run_is_read_back_as_it_was_logged(wandb, api):
    about = {"group": "quick", "job_type": "student", "tags": ["fast", "small"], "notes": "a note"}
    with start(wandb, id="student-1", name="cnn/kd/0", config={"seed": 3, "net": {"dim": 8}}, **about) as run:
        run.define_metric("quality", summary="max")
        for step in range(1, 6):
            run.log(
                {"loss": 1 / step, "quality": [1, 5, 2, 4, 3][step - 1], "at": {"epoch": step}}, step=step
            )
        run.summary["size"] = 1000
    found = api.run(f"{PROJECT}/student-1")
    assert (found.name, found.state, found.group, found.job_type) == (
        "cnn/kd/0",
        "finished",
        "quick",
        "student",
    )
    assert (found.tags, found.notes) == (["fast", "small"], "a note")
    assert found.config == {"seed": 3, "net": {"dim": 8}}
    assert [(row["_step"], row["loss"]) for row in rows(found)] == [(step, 1 / step) for step in range(1, 6)]
    assert [row["at"] for row in rows(found)] == [{"epoch": step} for step in range(1, 6)]
    assert (found.summary["size"], found.summary["loss"], found.summary["quality"]["max"]) == (1000, 0.2, 5)
    assert found.lastHistoryStep == 5
    assert len(found.history(samples=3, pandas=False)) == 3
    assert found.history(keys=["at.epoch"], pandas=False)[1] == {"_step": 2, "at.epoch": 2}


def test_media_and_files_are_read_back(wandb, api, tmp_path):
    with start(wandb) as run:
        pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
        run.log({"table": wandb.Table(columns=["label", "f1"], data=[["joy", 0.5], ["fear", None]])})
        run.log({"image": wandb.Image(pixels), "page": wandb.Html("<p>frontier</p>", inject=False)})
    found = api.run(f"{PROJECT}/{run.id}")
    with found.file(found.summary["image"]["path"]).download(tmp_path) as image:
        assert (matplotlib.image.imread(image.name) * 255 == pixels).all()
    with found.file(found.summary["page"]["path"]).download(tmp_path) as page:
        assert page.read() == "<p>frontier</p>"
    table = api.artifact(f"{PROJECT}/run-{run.id}-table:latest").get("table")
    assert (table.columns, table.data) == (["label", "f1"], [["joy", 0.5], ["fear", None]])
    assert {"config.yaml", "wandb-metadata.json", "wandb-summary.json"} <= {
        file.name for file in found.files()
    }
    assert {file.name for file in found.files(pattern="%.json", per_page=1)} >= {"wandb-summary.json"}
    (tmp_path / "card.md").write_text("a card")
    assert found.upload_file(str(tmp_path / "card.md"), root=str(tmp_path)).size == 6


def test_the_console_of_a_process_is_read_back(api):
    code = """
import wandb
with wandb.init(project="distill", id="one", settings=wandb.Settings(console="wrap")):
    print("first\\nsecond")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    lines = list(api.run(f"{PROJECT}/one").console_logs())
    assert [(line.number, line.content) for line in lines] == [(0, "first"), (1, "second")]
    assert [line.content for line in api.run(f"{PROJECT}/one").console_logs(last=1)] == ["second"]


def test_a_resumed_run_goes_on_where_it_was(wandb, api):
    for begin, end in ((0, 3), (3, 5)):
        with start(wandb, id="one", resume="allow", config={f"from{begin}": True}) as run:
            assert (run.resumed, run.starting_step) == (begin > 0, begin)
            for step in range(begin, end):
                run.log({"loss": step}, step=step)
            run.summary[f"until{end}"] = True
    found = api.run(f"{PROJECT}/one")
    assert [(row["_step"], row["loss"]) for row in rows(found)] == [(step, step) for step in range(5)]
    assert found.config == {"from0": True, "from3": True}
    assert (found.summary["until3"], found.summary["until5"]) == (True, True)


def test_the_state_of_a_run_is_told(wandb, api, wandb_login):
    run = start(wandb)
    assert fresh(api, run).state == "running"
    wandb_login.state.crashes_after = 0
    assert fresh(api, run).state == "crashed"
    run.finish(exit_code=3)
    assert fresh(api, run).state == "failed"


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


def test_runs_are_selected(api, five_runs):
    def names(**filters):
        return [int(run.id[-1]) for run in api.runs(PROJECT, filters=filters)]

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


def test_runs_are_ordered_and_come_in_pages(api, five_runs):
    def names(order):
        return [int(run.id[-1]) for run in api.runs(PROJECT, order=order, per_page=2)]

    assert names("-created_at") == [4, 3, 2, 1, 0]
    assert names("+summary_metrics.quality") == [4, 0, 2, 3, 1]
    assert names("-config.seed.value") == [2, 1, 0, 3, 4]
    assert len(api.runs(PROJECT, per_page=2)) == 5
    assert [project.name for project in api.projects()] == ["distill"]


def test_a_run_is_changed_and_deleted(api, five_runs):
    run = api.run(f"{PROJECT}/run1")
    run.tags.append("best")
    run.config["note"] = "x"
    run.summary["extra"] = 1
    run.update()
    run.summary.update()
    again = fresh(api, run)
    assert (again.tags, again.config["note"], again.summary["extra"]) == (["fast", "best"], "x", 1)
    again.delete()
    api.flush()
    assert [run.id for run in api.runs(PROJECT)] == ["run0", "run2", "run3", "run4"]


def folder(tmp_path, name, **files):
    place = tmp_path / name
    place.mkdir()
    for file, content in files.items():
        (place / file).write_text(content)
    return place


def publish(wandb, run, name, place, kind="student", aliases=(), **metadata):
    artifact = wandb.Artifact(name, kind, metadata=metadata)
    artifact.add_dir(str(place))
    return run.log_artifact(artifact, aliases=list(aliases)).wait()


def content(api, name, tmp_path):
    place = Path(api.artifact(f"{PROJECT}/{name}").download(tmp_path / "downloads" / name.replace(":", "-")))
    return {path.name: path.read_text() for path in place.iterdir()}


def test_an_artifact_knows_where_it_came_from(wandb, api, tmp_path):
    with start(wandb, id="t", job_type="teacher") as run:
        publish(wandb, run, "bert", folder(tmp_path, "bert", weights="bert"), "teacher", quality=0.9)
    with start(wandb, id="s", job_type="student") as run:
        used = run.use_artifact("bert:latest")
        assert (used.type, used.metadata) == ("teacher", {"quality": 0.9})
        assert (Path(used.download(tmp_path / "used")) / "weights").read_text() == "bert"
        publish(wandb, run, "cnn", folder(tmp_path, "cnn", weights="cnn"), aliases=["best", "s"])
    student = api.artifact(f"{PROJECT}/cnn:best")
    assert sorted(student.aliases) == ["best", "latest", "s"]
    maker = student.logged_by()
    (teacher,) = maker.used_artifacts()
    assert (maker.id, teacher.name, teacher.logged_by().id) == ("s", "bert:v0", "t")
    assert [run.id for run in teacher.used_by()] == ["s"]
    assert [artifact.name for artifact in maker.logged_artifacts()] == ["cnn:v0"]
    assert content(api, "cnn:best", tmp_path) == {"weights": "cnn"}


def test_the_same_content_is_one_version_and_comes_once(wandb, api, tmp_path, wandb_login):
    with start(wandb) as run:
        place = folder(tmp_path, "cnn", weights="1", card="a card")
        publish(wandb, run, "cnn", place, aliases=["best"], quality=0.5)
        publish(wandb, run, "cnn", place, aliases=["again"], quality=0.7)
        (place / "weights").write_text("2")
        publish(wandb, run, "cnn", place, aliases=["best"], quality=0.6)
    versions = api.artifacts("student", f"{PROJECT}/cnn")
    assert [(one.name, sorted(one.aliases), one.metadata) for one in versions] == [
        ("cnn:v1", ["best", "latest"], {"quality": 0.6}),
        ("cnn:v0", ["again"], {"quality": 0.5}),
    ]
    assert content(api, "cnn:again", tmp_path) == {"weights": "1", "card": "a card"}
    assert content(api, "cnn:latest", tmp_path) == {"weights": "2", "card": "a card"}
    assert sum(request.startswith("PUT /storage/contents/") for request in wandb_login.requests) == 3


def test_artifacts_are_found(wandb, api, tmp_path):
    with start(wandb) as run:
        for name, kind in (("cnn", "student"), ("mean", "student"), ("bert", "teacher")):
            publish(wandb, run, name, folder(tmp_path, name, weights=name), kind)
    assert [kind.name for kind in api.artifact_types(PROJECT)] == ["student", "teacher"]
    assert [one.name for one in api.artifact_collections(PROJECT, "student")] == ["cnn", "mean"]
    assert [one.name for one in api.artifact_type("teacher", PROJECT).collections()] == ["bert"]
    collection = api.artifact_collection("student", f"{PROJECT}/cnn")
    assert (collection.type, collection.aliases) == ("student", ["latest"])
    assert [one.name for one in collection.artifacts()] == ["cnn:v0"]
    assert api.artifact_exists(f"{PROJECT}/cnn:v0")
    assert not api.artifact_exists(f"{PROJECT}/cnn:v1")
    assert not api.artifact_collection_exists(f"{PROJECT}/lstm", "student")


def test_an_artifact_is_changed_linked_and_deleted(wandb, api, tmp_path):
    with start(wandb) as run:
        for number in range(2):
            place = folder(tmp_path, f"cnn{number}", weights=str(number))
            publish(wandb, run, "cnn", place, aliases=["best"])
    first = api.artifact(f"{PROJECT}/cnn:v0")
    first.aliases.append("kept")
    first.metadata["quality"] = 0.5
    first.description, first.tags = "the first", ["small"]
    first.save()
    first.link(f"{PROJECT}/chosen", aliases=["production"])
    again = wandb.Api().artifact(f"{PROJECT}/cnn:kept")
    assert (again.metadata, again.description, again.tags) == ({"quality": 0.5}, "the first", ["small"])
    assert wandb.Api().artifact(f"{PROJECT}/chosen:production").source_name == "cnn:v0"
    second = api.artifact(f"{PROJECT}/cnn:best")
    with pytest.raises(wandb.errors.CommError, match="the artifact has aliases"):
        second.delete()
    second.delete(delete_aliases=True)
    assert [one.name for one in wandb.Api().artifacts("student", f"{PROJECT}/cnn")] == ["cnn:v0"]
    assert wandb.Api().artifact(f"{PROJECT}/cnn:latest").version == "v0"
    api.artifact_collection("student", f"{PROJECT}/cnn").delete()
    assert not wandb.Api().artifact_collection_exists(f"{PROJECT}/cnn", "student")


def test_a_reference_is_not_uploaded(wandb, api, tmp_path, wandb_login):
    (tmp_path / "train.csv").write_text("text,joy\n")
    with start(wandb) as run:
        artifact = wandb.Artifact("data", "dataset")
        artifact.add_reference((tmp_path / "train.csv").as_uri())
        run.log_artifact(artifact)
    assert not any("contents" in request for request in wandb_login.requests)
    found = api.artifact(f"{PROJECT}/data:latest")
    entry = found.manifest.entries["train.csv"]
    assert (entry.ref, entry.size) == ((tmp_path / "train.csv").as_uri(), 9)
    assert content(api, "data:latest", tmp_path) == {"train.csv": "text,joy\n"}


def test_an_artifact_grows(wandb, api, tmp_path):
    place = folder(tmp_path, "cnn", a="1", b="2")
    with start(wandb) as run:
        publish(wandb, run, "cnn", place)
        (place / "b").write_text("3")
        added = wandb.Artifact("cnn", "student", incremental=True)
        added.add_file(str(place / "b"))
        run.log_artifact(added)
    assert content(api, "cnn:latest", tmp_path) == {"a": "1", "b": "3"}


SWEEP = {
    "name": "rates",
    "method": "grid",
    "metric": {"name": "quality", "goal": "maximize"},
    "program": "train.py",
    "command": ["${interpreter}", "${program}", "${args_no_hyphens}"],
    "parameters": {"training.learning_rate": {"values": [0.1, 0.2]}, "student": {"value": "cnn"}},
}
TRAIN = """
import sys
import wandb
with wandb.init() as run:
    run.log({"quality": run.config["training.learning_rate"], "arguments": " ".join(sys.argv[1:])})
"""
AGENT = """
import sys
from wandb import wandb_agent
from wandb.cli.cli import cli
wandb_agent.Agent.POLL_INTERVAL = 0.2  # five seconds otherwise
cli(["agent", sys.argv[1]])
"""
ignore_wandbs_own = pytest.mark.filterwarnings("ignore:Read the `app_url` setting:DeprecationWarning")


@ignore_wandbs_own
def test_an_agent_runs_a_grid(wandb, tmp_path):
    sweep = wandb.sweep(SWEEP, project="distill")
    (tmp_path / "train.py").write_text(TRAIN)
    subprocess.run([sys.executable, "-c", AGENT, f"{PROJECT}/{sweep}"], cwd=tmp_path, check=True)
    found = wandb.Api().sweep(f"{PROJECT}/{sweep}")
    assert (found.state, found.name, found.config["parameters"]) == ("FINISHED", "rates", SWEEP["parameters"])
    assert [run.summary["arguments"] for run in found.runs] == [
        "student=cnn training.learning_rate=0.1",
        "student=cnn training.learning_rate=0.2",
    ]
    assert [(run.state, run.config["training.learning_rate"]) for run in found.runs] == [
        ("finished", 0.1),
        ("finished", 0.2),
    ]
    best = found.best_run()
    assert (best.summary["quality"], best.sweep.id) == (0.2, sweep)
    (agent,) = found.agents()
    assert [run.id for run in agent.runs()] == [run.id for run in found.runs]
    assert [one.id for one in wandb.Api().project("distill").sweeps()] == [sweep]


@ignore_wandbs_own
def test_two_agents_share_a_random_sweep(wandb, api):
    from wandb.apis.public.sweeps import _agent_heartbeat, _register_agent, _set_sweep_state

    rates = {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2}
    parameters = {"rate": rates, "width": {"min": 8, "max": 64}}
    sweep = wandb.sweep({"method": "random", "run_cap": 3, "parameters": parameters}, project="distill")
    place = {"sweep_id": sweep, "project": "distill", "entity": "laboratory"}
    first, second = (_register_agent(api, host, **place)["id"] for host in ("a", "b"))

    def ask(agent, *at_work):
        return _agent_heartbeat(api, agent, {}, dict.fromkeys(at_work, True))

    (one,), (two,) = ask(first), ask(second)
    assert ask(first, one["run_id"]) == []
    _set_sweep_state(api, sweep, "PAUSED", project="distill", entity="laboratory")
    assert ask(first) == []
    _set_sweep_state(api, sweep, "RUNNING", project="distill", entity="laboratory")
    (three,) = ask(first)
    chosen = [
        {name: part["value"] for name, part in command["args"].items()} for command in (one, two, three)
    ]
    assert all(1e-4 <= settings["rate"] <= 1e-2 and 8 <= settings["width"] <= 64 for settings in chosen)
    assert len({settings["rate"] for settings in chosen}) == 3
    assert ask(second) == [{"type": "exit"}]
    _set_sweep_state(api, sweep, "CANCELED", project="distill", entity="laboratory")
    assert ask(first, three["run_id"]) == [{"type": "stop", "run_id": three["run_id"]}]


HASTY = {"x_graphql_retry_max": 1, "init_timeout": 10, "finish_timeout": 10, "finish_timeout_raises": True}


def hasty(wandb):
    return wandb.Settings(**HASTY)


def steps(api, run):
    return [row["_step"] for row in rows(fresh(api, run))]


def test_a_server_that_is_down_refuses_connections_and_comes_back(wandb, api, wandb_login):
    url = wandb_login.url
    wandb_login.down()
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(url, timeout=5)
    with pytest.raises(wandb.errors.Error, match="refused"):
        start(wandb, settings=hasty(wandb))
    wandb_login.up()
    assert requests.get(f"{url}/storage/nothing", timeout=5).status_code == 404
    with start(wandb, settings=hasty(wandb)) as run:
        run.log({"loss": 1})
    assert steps(api, run) == [0]


def test_rows_outlive_an_outage(wandb, api, wandb_login):
    with start(wandb, settings=hasty(wandb)) as run:
        run.log({"loss": 1})
        wandb_login.down()
        run.log({"loss": 2})
        wandb_login.up()
    assert steps(api, run) == [0, 1]


def test_an_error_is_tried_again(wandb, api, wandb_login):
    fault = wandb_login.fail(500, matching="UpsertBucket", times=1)
    with start(wandb, settings=hasty(wandb)) as run:
        run.log({"loss": 1})
    assert (fault.hits, steps(api, run)) == (1, [0])


def test_an_error_that_stays_is_told(wandb, wandb_login):
    fault = wandb_login.fail(500, matching="UpsertBucket")
    with pytest.raises(wandb.errors.Error, match="HTTP 500"):
        start(wandb, settings=hasty(wandb))
    assert fault.hits >= 2


def test_a_key_that_is_refused_is_told_at_once(wandb, wandb_login):
    fault = wandb_login.fail(401)
    with pytest.raises(wandb.errors.CommError, match="401"):
        start(wandb, id="one", resume="allow", settings=hasty(wandb))
    assert fault.hits == 1


def test_a_slow_server_is_waited_for(wandb, wandb_login):
    fault = wandb_login.slow(1.0, matching="UpsertBucket", times=1)
    begun = time.monotonic()
    with start(wandb):
        assert time.monotonic() - begun >= 1
    assert fault.hits == 1


def test_an_upload_that_is_lost_is_made_again(wandb, api, tmp_path, wandb_login):
    fault = wandb_login.lose_upload(matching="/storage/contents/")
    with start(wandb) as run:
        publish(wandb, run, "cnn", folder(tmp_path, "cnn", weights="w" * 100_000))
    assert fault.hits == 1
    assert content(api, "cnn:latest", tmp_path) == {"weights": "w" * 100_000}


def test_an_answer_that_is_lost_doubles_nothing(wandb, api, tmp_path, wandb_login):
    lost = [
        wandb_login.lose_answer(matching=one) for one in ("file_stream", "CreateArtifact", "CommitArtifact")
    ]
    with start(wandb) as run:
        run.log({"loss": 1})
        publish(wandb, run, "cnn", folder(tmp_path, "cnn", weights="1"))
    assert [fault.hits for fault in lost] == [1, 1, 1]
    assert steps(api, run) == [0]
    assert [one.name for one in api.artifacts("student", f"{PROJECT}/cnn")] == ["cnn:v0"]


class Notes:
    def __init__(self):
        self.texts = []

    def note(self, text):
        self.texts.append(text)


def test_what_distill_tracks_is_read_back(wandb_login, tmp_path):
    notes = Notes()
    tracker = open_tracker(
        mode="auto",
        project="distill",
        entity=None,
        experiment="quick",
        store_root=tmp_path / "store",
        tags=["fast"],
        progress=notes,
    )
    matplotlib.image.imsave(tmp_path / "roc.png", np.zeros((4, 4)))
    for box, uses in (("teacher", ()), ("student", ("teacher/bert",))):
        about = {"name": f"{box}/0", "job_type": box, "key": box * 8, "config": {"seeds": [0]}}
        with tracker.run(**about, history=tmp_path / f"{box}.jsonl") as log:
            for step in range(1, 4):
                log.metrics({"loss": 1 / step}, step)
            log.table("per_label", ["label", "f1"], [["joy", 0.5], ["fear", None]])
            log.picture("roc", tmp_path / "roc.png")
            log.summary({"test/macro_ap": 0.25})
            model = folder(tmp_path, box, weights=box)
            name = "teacher/bert" if box == "teacher" else "cnn/kd/0"
            log.artifact(Artifact(name, box, model, {"macro_ap": 0.25}, ("best",), uses))
    assert (tracker.close(), notes.texts) == ("", [])

    import wandb

    api = wandb.Api()
    teacher, student = api.runs(PROJECT, filters={"group": "quick", "tags": "fast"})
    assert (teacher.job_type, student.job_type, student.state, student.name) == (
        "teacher",
        "student",
        "finished",
        "student/0",
    )
    assert student.config == {"fingerprint": "student" * 8, "seeds": [0]}
    assert [(row["_step"], row["step"], row["loss"]) for row in rows(student)] == [
        (step, step, 1 / step) for step in range(1, 4)
    ]
    assert student.summary["test/macro_ap"] == 0.25
    assert api.artifact(f"{PROJECT}/run-{student.id}-per_label:latest").get("per_label").data[0] == [
        "joy",
        0.5,
    ]
    with student.file(student.summary["roc"]["path"]).download(tmp_path / "pictures") as picture:
        assert Path(picture.name).read_bytes() == (tmp_path / "roc.png").read_bytes()
    published = api.artifact(f"{PROJECT}/cnn-kd-0:best")
    assert (published.type, published.metadata["macro_ap"]) == ("student", 0.25)
    assert published.logged_by().id == student.id
    assert [one.name for one in student.used_artifacts()] == ["teacher-bert:v0"]
    assert [run.id for run in api.artifact(f"{PROJECT}/teacher-bert:best").used_by()] == [student.id]
    assert content(api, "cnn-kd-0:best", tmp_path) == {"weights": "student"}


def test_a_workspace_and_a_report_are_saved(wandb):
    workspaces = pytest.importorskip("wandb_workspaces.workspaces")
    reports = pytest.importorskip("wandb_workspaces.reports.v2")
    wandb.Api().create_project("distill", "laboratory")
    panel = reports.ScatterPlot(x="latency_p90_ms", y="macro_ap")
    report = reports.Report("distill", "laboratory", title="Frontier", description="quality against speed")
    report.blocks = [reports.H1("Frontier"), reports.PanelGrid(panels=[panel])]
    report.save()
    assert reports.Report.from_url(report.url).title == "Frontier"
    section = workspaces.Section("Frontier", panels=[panel])
    workspace = workspaces.Workspace("laboratory", "distill", "Quick", sections=[section])
    workspace.save()
    assert workspaces.Workspace.from_url(workspace.url).name == "Quick"


def ask(server, query, **variables):
    answer = requests.post(f"{server.url}/graphql", json={"query": query, "variables": variables}, timeout=5)
    return answer.json()


def test_fragments_aliases_and_conditions(wandb_server):
    state = wandb_server.state
    make_run(state, state.project("distill"), "one")
    query = """
    query Q($name: String = "distill", $state: Boolean!) {
        found: project(name: $name) { ...P run(name: "one") { id @skip(if: true) state @include(if: $state) } }
    }
    fragment P on Project { __typename run(name: "one") { ... on Run { name } ... on Sweep { method } } }
    """
    assert ask(wandb_server, query, state=False)["data"] == {
        "found": {"__typename": "Project", "run": {"name": "one"}}
    }
    assert ask(wandb_server, query, state=True)["data"]["found"]["run"] == {"name": "one", "state": "running"}
    assert ask(wandb_server, query, state=True, name="other")["data"] == {"found": None}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("query Q { wibble { id } }", "Query.wibble in Q"),
        ("mutation M { wobble(input: {id: 1}) { id } }", "Mutation.wobble in M"),
        ("query Q { viewer { colour } }", "User.colour in Q"),
        ("query Q { viewer(colour: 1) { id } }", "Query.viewer(colour) in Q"),
        (
            'query Q { project(name: "distill") { runs(filters: "{\\"colour\\": 1}") { totalCount } } }',
            "filter or order of runs: colour",
        ),
    ],
)
def test_what_is_not_known_is_answered_with_null_and_fails(tmp_path, query, said):
    with pytest.raises(AssertionError, match=re.escape(said)), running_server(tmp_path) as server:  # noqa: PT012
        make_run(server.state, server.state.project("distill"), "one")
        assert "errors" not in ask(server, query)
        assert server.unknown == [said]


def test_an_unknown_address_fails(tmp_path):
    said = r"asked for what tests/wandb_server does not know:\n *GET /wibble"
    with pytest.raises(AssertionError, match=said), running_server(tmp_path) as server:
        assert requests.get(f"{server.url}/wibble", timeout=5).status_code == 404


def test_an_unknown_request_of_the_sdk_fails(tmp_path):
    test = "def test_it(wandb_login):\n    import wandb\n    wandb.Api().automations().__next__()\n"
    (tmp_path / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "wandb_server.fixtures"]
    found = subprocess.run(
        [*command, tmp_path / "test_it.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert "asked for what tests/wandb_server does not know" in found.stdout


def test_a_commit_without_its_bytes_is_refused(wandb, tmp_path, wandb_login):
    with start(wandb) as run:
        made = publish(wandb, run, "cnn", folder(tmp_path, "cnn", weights="1"))
    (stored,) = (wandb_login.state.folder / "contents").iterdir()
    stored.unlink()
    commit = "mutation C($id: ID!) { commitArtifact(input: {artifactID: $id}) { artifact { id } } }"
    answer = ask(wandb_login, commit, id=made.id)
    assert answer["errors"] == [{"message": "cnn cannot be committed without weights"}]

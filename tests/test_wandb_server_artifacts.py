"""Artifacts: what the real wandb SDK sends to the test server comes back through `wandb.Api` alone."""

from pathlib import Path

import pytest
from wandb_rounds import PROJECT, ask, content, folder, publish, start


def test_an_artifact_knows_where_it_came_from(wandb, wandb_api, tmp_path):
    with start(wandb, id="t", job_type="teacher") as run:
        publish(wandb, run, "bert", folder(tmp_path, "bert", weights="bert"), "teacher", quality=0.9)
    with start(wandb, id="s", job_type="student") as run:
        used = run.use_artifact("bert:latest")
        assert (used.type, used.metadata) == ("teacher", {"quality": 0.9})
        assert (Path(used.download(tmp_path / "used")) / "weights").read_text() == "bert"
        publish(wandb, run, "cnn", folder(tmp_path, "cnn", weights="cnn"), aliases=["best", "s"])
    student = wandb_api.artifact(f"{PROJECT}/cnn:best")
    assert sorted(student.aliases) == ["best", "latest", "s"]
    maker = student.logged_by()
    (teacher,) = maker.used_artifacts()
    assert (maker.id, teacher.name, teacher.logged_by().id) == ("s", "bert:v0", "t")
    assert [run.id for run in teacher.used_by()] == ["s"]
    assert [artifact.name for artifact in maker.logged_artifacts()] == ["cnn:v0"]
    assert content(wandb_api, "cnn:best", tmp_path) == {"weights": "cnn"}


def test_the_same_content_is_one_version_and_comes_once(wandb, wandb_api, tmp_path, wandb_login):
    with start(wandb) as run:
        place = folder(tmp_path, "cnn", weights="1", card="a card")
        publish(wandb, run, "cnn", place, aliases=["best"], quality=0.5)
        publish(wandb, run, "cnn", place, aliases=["again"], quality=0.7)
        (place / "weights").write_text("2")
        publish(wandb, run, "cnn", place, aliases=["best"], quality=0.6)
    versions = wandb_api.artifacts("student", f"{PROJECT}/cnn")
    assert [(one.name, sorted(one.aliases), one.metadata) for one in versions] == [
        ("cnn:v1", ["best", "latest"], {"quality": 0.6}),
        ("cnn:v0", ["again"], {"quality": 0.5}),
    ]
    assert content(wandb_api, "cnn:again", tmp_path) == {"weights": "1", "card": "a card"}
    assert content(wandb_api, "cnn:latest", tmp_path) == {"weights": "2", "card": "a card"}
    assert sum(request.startswith("PUT /storage/contents/") for request in wandb_login.requests) == 3


def test_artifacts_are_found(wandb, wandb_api, tmp_path):
    with start(wandb) as run:
        for name, kind in (("cnn", "student"), ("mean", "student"), ("bert", "teacher")):
            publish(wandb, run, name, folder(tmp_path, name, weights=name), kind)
    assert [kind.name for kind in wandb_api.artifact_types(PROJECT)] == ["student", "teacher"]
    assert [one.name for one in wandb_api.artifact_collections(PROJECT, "student")] == ["cnn", "mean"]
    assert [one.name for one in wandb_api.artifact_type("teacher", PROJECT).collections()] == ["bert"]
    collection = wandb_api.artifact_collection("student", f"{PROJECT}/cnn")
    assert (collection.type, collection.aliases) == ("student", ["latest"])
    assert [one.name for one in collection.artifacts()] == ["cnn:v0"]
    assert wandb_api.artifact_exists(f"{PROJECT}/cnn:v0")
    assert not wandb_api.artifact_exists(f"{PROJECT}/cnn:v1")
    assert not wandb_api.artifact_collection_exists(f"{PROJECT}/lstm", "student")


def test_an_artifact_is_changed_linked_and_deleted(wandb, wandb_api, tmp_path):
    with start(wandb) as run:
        for number in range(2):
            place = folder(tmp_path, f"cnn{number}", weights=str(number))
            publish(wandb, run, "cnn", place, aliases=["best"])
    first = wandb_api.artifact(f"{PROJECT}/cnn:v0")
    first.aliases.append("kept")
    first.metadata["quality"] = 0.5
    first.description, first.tags = "the first", ["small"]
    first.save()
    first.link(f"{PROJECT}/chosen", aliases=["production"])
    again = wandb.Api().artifact(f"{PROJECT}/cnn:kept")
    assert (again.metadata, again.description, again.tags) == ({"quality": 0.5}, "the first", ["small"])
    assert wandb.Api().artifact(f"{PROJECT}/chosen:production").source_name == "cnn:v0"
    second = wandb_api.artifact(f"{PROJECT}/cnn:best")
    with pytest.raises(wandb.errors.CommError, match="the artifact has aliases"):
        second.delete()
    second.delete(delete_aliases=True)
    assert [one.name for one in wandb.Api().artifacts("student", f"{PROJECT}/cnn")] == ["cnn:v0"]
    assert wandb.Api().artifact(f"{PROJECT}/cnn:latest").version == "v0"
    wandb_api.artifact_collection("student", f"{PROJECT}/cnn").delete()
    assert not wandb.Api().artifact_collection_exists(f"{PROJECT}/cnn", "student")


def test_a_reference_is_not_uploaded(wandb, wandb_api, tmp_path, wandb_login):
    (tmp_path / "train.csv").write_text("text,joy\n")
    with start(wandb) as run:
        artifact = wandb.Artifact("data", "dataset")
        artifact.add_reference((tmp_path / "train.csv").as_uri())
        run.log_artifact(artifact)
    assert not any("contents" in request for request in wandb_login.requests)
    found = wandb_api.artifact(f"{PROJECT}/data:latest")
    entry = found.manifest.entries["train.csv"]
    assert (entry.ref, entry.size) == ((tmp_path / "train.csv").as_uri(), 9)
    assert content(wandb_api, "data:latest", tmp_path) == {"train.csv": "text,joy\n"}


def test_an_artifact_grows(wandb, wandb_api, tmp_path):
    place = folder(tmp_path, "cnn", a="1", b="2")
    with start(wandb) as run:
        publish(wandb, run, "cnn", place)
        (place / "b").write_text("3")
        added = wandb.Artifact("cnn", "student", incremental=True)
        added.add_file(str(place / "b"))
        run.log_artifact(added)
    assert content(wandb_api, "cnn:latest", tmp_path) == {"a": "1", "b": "3"}


def test_a_commit_without_its_bytes_is_refused(wandb, tmp_path, wandb_login):
    with start(wandb) as run:
        made = publish(wandb, run, "cnn", folder(tmp_path, "cnn", weights="1"))
    (stored,) = (wandb_login.state.folder / "contents").iterdir()
    stored.unlink()
    commit = "mutation C($id: ID!) { commitArtifact(input: {artifactID: $id}) { artifact { id } } }"
    answer = ask(wandb_login, commit, id=made.id)
    assert answer["errors"] == [{"message": "cnn cannot be committed without weights"}]

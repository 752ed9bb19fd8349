"""The test server itself: it starts, is spoilt when asked to, and tells what it does not know."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from wandb_rounds import PROJECT, ask, content, folder, fresh, publish, rows, start
from wandb_server.fixtures import running_server
from wandb_server.runs import make_run


def test_it_starts_at_once(tmp_path):
    begun = time.monotonic()
    with running_server(tmp_path):
        assert time.monotonic() - begun < 0.2
    assert time.monotonic() - begun < 0.4


HASTY = {"x_graphql_retry_max": 1, "init_timeout": 10, "finish_timeout": 10, "finish_timeout_raises": True}


def hasty(wandb):
    return wandb.Settings(**HASTY)


def steps(api, run):
    return [row["_step"] for row in rows(fresh(api, run))]


def test_a_server_that_is_down_refuses_connections_and_comes_back(wandb, wandb_api, wandb_login):
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
    assert steps(wandb_api, run) == [0]


def test_rows_outlive_an_outage(wandb, wandb_api, wandb_login):
    with start(wandb, settings=hasty(wandb)) as run:
        run.log({"loss": 1})
        wandb_login.down()
        run.log({"loss": 2})
        wandb_login.up()
    assert steps(wandb_api, run) == [0, 1]


def test_an_error_is_tried_again(wandb, wandb_api, wandb_login):
    fault = wandb_login.fail(500, matching="UpsertBucket", times=1)
    with start(wandb, settings=hasty(wandb)) as run:
        run.log({"loss": 1})
    assert (fault.hits, steps(wandb_api, run)) == (1, [0])


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


def test_an_upload_that_is_lost_is_made_again(wandb, wandb_api, tmp_path, wandb_login):
    fault = wandb_login.lose_upload(matching="/storage/contents/")
    with start(wandb) as run:
        publish(wandb, run, "cnn", folder(tmp_path, "cnn", weights="w" * 100_000))
    assert fault.hits == 1
    assert content(wandb_api, "cnn:latest", tmp_path) == {"weights": "w" * 100_000}


@pytest.mark.slow
def test_an_answer_that_is_lost_doubles_nothing(wandb, wandb_api, tmp_path, wandb_login):
    lost = [wandb_login.lose_answer(matching=one) for one in ("CreateArtifact", "CommitArtifact")]
    with start(wandb) as run:
        run.log({"loss": 1})
        publish(wandb, run, "cnn", folder(tmp_path, "cnn", weights="1"))
        lost.append(wandb_login.lose_answer(matching="file_stream"))  # the rows come at the end, all at once
    assert [fault.hits for fault in lost] == [1, 1, 1]
    assert steps(wandb_api, run) == [0]
    assert [one.name for one in wandb_api.artifacts("student", f"{PROJECT}/cnn")] == ["cnn:v0"]


def test_an_artifact_that_fails_is_told_by_wait_alone(wandb, wandb_api, tmp_path, wandb_login):
    wandb_login.fail(500, matching="CreateArtifact")
    artifact = wandb.Artifact("cnn", "student")
    artifact.add_dir(str(folder(tmp_path, "cnn", weights="1")))
    with start(wandb, settings=hasty(wandb)) as run:
        logged = run.log_artifact(artifact)
        with pytest.raises(ValueError, match="HTTP 500"):
            logged.wait()
    assert fresh(wandb_api, run).state == "finished"
    assert not wandb_api.artifact_exists(f"{PROJECT}/cnn:latest")


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
    told = rf"does not know:\n *{re.escape(said)}\n"
    with pytest.raises(AssertionError, match=told), running_server(tmp_path) as server:  # noqa: PT012
        make_run(server.state, server.state.project("distill"), "one")
        answer = ask(server, query)
    assert answer.keys() == {"data"}


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

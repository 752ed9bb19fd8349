"""What the tests of the wandb server share: sending something, and reading it back."""

from pathlib import Path

import requests

PROJECT = "laboratory/distill"


def start(wandb, **settings):
    """Open a run in the project of all tests."""
    return wandb.init(project="distill", **settings)


def rows(run):
    """Return all rows of a run's history; `scan_history` would hide a row that came twice."""
    return run.history(samples=100_000, pandas=False)


def fresh(api, run):
    """Return a run as the server knows it now, nothing remembered."""
    api.flush()
    return api.run(f"{PROJECT}/{run.id}")


def folder(tmp_path, name, **files):
    """Make a folder with these files."""
    place = tmp_path / name
    place.mkdir()
    for file, content in files.items():
        (place / file).write_text(content)
    return place


def publish(wandb, run, name, place, kind="student", aliases=(), **metadata):
    """Log a folder as an artifact, and wait until the server has it."""
    artifact = wandb.Artifact(name, kind, metadata=metadata)
    artifact.add_dir(str(place))
    return run.log_artifact(artifact, aliases=list(aliases)).wait()


def content(api, name, tmp_path):
    """Download an artifact, and return the text of its files."""
    place = Path(api.artifact(f"{PROJECT}/{name}").download(tmp_path / "downloads" / name.replace(":", "-")))
    return {path.name: path.read_text() for path in place.iterdir()}


def ask(server, query, **variables):
    """Ask without the SDK."""
    answer = requests.post(f"{server.url}/graphql", json={"query": query, "variables": variables}, timeout=5)
    return answer.json()

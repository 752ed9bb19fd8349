"""The commands of the how-to pages, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from reviews import write_experiment
from wandb_server.fixtures import logged_in

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {
    "first-run-online.md": 4,
    "offline-then-sync.md": 3,
    "share-a-dashboard.md": 3,
}
PAGES_OF_WHAT_IS_THERE = {
    "pull-a-checkpoint.md": 4,
}


def commands(page):
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return [line for block in blocks for line in block.splitlines()]


def follow(page, count, folder, tmp_path):
    """Give each command of a page; `distill` and `wandb` are those under test."""
    found = commands(page)
    assert len(found) == count
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, module in (("distill", "distill.cli"), ("wandb", "wandb")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        (tools / name).chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    for command in found:
        ran = subprocess.run(
            ["sh", "-c", command], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True,
            timeout=280, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
        yield ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("page", "count"), PAGES.items())
def test_a_page_that_begins_with_nothing(page, count, tmp_path, wandb_server):
    file = write_experiment(tmp_path)
    file.write_text(file.read_text().replace("wandb: {mode: disabled}", "wandb: {}"))
    with logged_in(wandb_server, tmp_path):
        said = list(follow(page, count, tmp_path, tmp_path))
    assert len(wandb_server.state.project("distill").runs) == 9
    if page == "offline-then-sync.md":
        assert [lines.splitlines()[-1] for lines in said[1:]] == ["9 runs, 9 sent", "9 runs, 9 there"]


@pytest.mark.parametrize(("page", "count"), PAGES_OF_WHAT_IS_THERE.items())
def test_a_page_about_what_is_there(page, count, tmp_path, online_experiment):
    assert len(list(follow(page, count, online_experiment.folder, tmp_path))) == count

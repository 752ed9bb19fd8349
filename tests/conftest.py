"""What several tests need: small experiments that really run."""

import re
import subprocess
import textwrap

import numpy as np
import pytest

from distill.cli import main

pytest_plugins = ["wandb_server.fixtures"]

GOOD, BAD, PLAIN = (
    ("lovely", "splendid", "great"),
    ("dreadful", "awful", "rotten"),
    ("film", "day", "meal", "bus", "tea"),
)


def write_reviews(path, rows, seed):
    """Write made-up reviews whose labels follow from their words, with some noise."""
    rng = np.random.default_rng(seed)
    lines = ["text,good,bad"]
    for number in range(rows):
        good, bad = rng.random(2) < 0.4
        words = list(rng.choice(PLAIN, rng.integers(3, 9)))
        words += [rng.choice(GOOD)] * int(good) + [rng.choice(BAD)] * int(bad) + [f"no{number}"]
        rng.shuffle(words)
        lines.append(f"{' '.join(words)},{int(good)},{int(bad)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


EXPERIMENT = """
    name: reviews
    data:
      source: {files: reviews}
      text: text
      labels: [good, bad]
    teacher: {kind: linear}
    students:
      mean: {kind: mean_embedding, embeddings: {kind: random, dimension: 16, min_count: 1}}
      cnn: {kind: textcnn, num_filters: 8, embeddings: {kind: random, dimension: 16, min_count: 1}}
    objectives:
      supervised: {kind: hard}
      distilled: {kind: soft_target, temperature: 2, soft_weight: 0.7}
    seeds: [0]
    training: {max_epochs: 2, batch_size: 32, learning_rate: 0.01}
    speed: {texts: 8, rounds: 2}
    runtime: {threads: 1, accelerator: cpu, wandb: {mode: disabled}}
"""


@pytest.fixture
def experiment_file(tmp_path):
    """An experiment on disk that runs in seconds: a linear teacher, two small students, two objectives."""
    folder = tmp_path / "reviews"
    folder.mkdir()
    for seed, (split, rows) in enumerate({"train": 120, "validation": 40, "test": 40}.items()):
        write_reviews(folder / f"{split}.csv", rows, seed)
    file = tmp_path / "reviews.yaml"
    file.write_text(textwrap.dedent(EXPERIMENT), encoding="utf-8")
    return file


@pytest.fixture
def refused(experiment_file, capsys, monkeypatch):
    """Give a command that is to be refused in the experiment's folder, called FOLDER; return its message.

    Nothing may be printed but progress and the message, and nothing half-written may stay in the store.
    """
    folder = experiment_file.parent
    monkeypatch.chdir(folder)

    def refused(*arguments, store=folder / ".distill"):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert (code, out) == (2, ""), err
        assert half_written(store) == []
        told = [line for line in err.splitlines() if not re.match(r"\[\d+/\d+\] ", line)]
        return "\n".join(told).replace(str(folder), "FOLDER")

    return refused


def half_written(store):
    """Return what a store holds that is not a finished result."""
    unsealed = [place for place in store.glob("results/*/*") if not (place / "manifest.json").is_file()]
    return [*unsealed, *store.glob("scratch/*")]


@pytest.fixture
def mount(tmp_path):
    """Mounts a small disk; skips where that is not permitted."""
    mounted = []

    def make(options):
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        try:
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True, capture_output=True
            )
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("mounting is not permitted here")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", "--lazy", place], check=True)

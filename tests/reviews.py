"""A small experiment on made-up reviews."""

import textwrap

import numpy as np

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


def write_experiment(place):
    """Write an experiment that runs in seconds: a linear teacher, two small students, two objectives."""
    folder = place / "reviews"
    folder.mkdir()
    for seed, (split, rows) in enumerate({"train": 120, "validation": 40, "test": 40}.items()):
        write_reviews(folder / f"{split}.csv", rows, seed)
    file = place / "reviews.yaml"
    file.write_text(textwrap.dedent(EXPERIMENT), encoding="utf-8")
    return file

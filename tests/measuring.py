"""What the tests of the measuring stages share: a workbench that remembers, and tiny models that really run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from distill.contracts import Task, TextClassifier, Workbench
from distill.export import export_onnx
from distill.model_folder import REGISTRIES, write_model
from distill.tokenizer import FastTokenizer

TEXTS = [
    "what a lovely day",
    "no",
    "I have seen worse films, but not many of them",
    "so it goes, and so it went",
]

OWN_STUDENT = """
from torch import nn
from distill.config.base import StudentConfig

class Mean(nn.Module):
    def __init__(self, size, labels):
        super().__init__()
        self.words, self.out = nn.Embedding(size, 8), nn.Linear(8, labels)
    def forward(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1).float()
        return self.out((self.words(input_ids) * mask).sum(1) / mask.sum(1))

class MeanConfig(StudentConfig):
    def make_network(self, tokenizer, task):
        return Mean(tokenizer.vocabulary_size, task.num_labels)
"""


@dataclass
class RememberingLog:
    """A run's log that keeps what it is told."""

    summaries: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)

    def metrics(self, values, step):
        raise AssertionError("no stage here has steps")

    def summary(self, values):
        self.summaries.update(values)

    def table(self, name, columns, rows):
        self.tables[name] = (columns, rows)

    def picture(self, name, path):
        assert path.stat().st_size > 1000
        self.pictures.append(name)

    def artifact(self, artifact):
        raise AssertionError("the pipeline publishes")


class Silence:
    """Progress that nobody watches."""

    def stage(self, stage, name, *, cached):
        pass

    def advance(self, done, total, note=""):
        assert 0 <= done <= total

    def note(self, text):
        pass


def make_bench(folder):
    """Return a workbench over two fresh folders."""
    for name in ("result", "scratch"):
        (folder / name).mkdir(parents=True)
    return Workbench(folder / "result", folder / "scratch", RememberingLog(), Silence())


def small_tokenizer():
    return FastTokenizer.train(TEXTS * 3, vocabulary_size=200, max_length=32)


def own_model(folder, beside):
    """Write a model folder, graph included, of a student whose code lies in `beside`."""
    (beside / "own_student.py").write_text(OWN_STUDENT, encoding="utf-8")
    kind = "own_student:MeanConfig"
    config = REGISTRIES["student"].resolve(kind, beside)(kind=kind)
    task = Task("multi_label", ("joy", "anger"))
    torch.manual_seed(0)
    tokenizer = small_tokenizer()
    classifier = TextClassifier(tokenizer, config.make_network(tokenizer, task))
    folder.mkdir()
    write_model(folder, classifier, config, task, "student")
    export_onnx(classifier, folder / "model.onnx")
    return classifier


class LSTMClassifier(nn.Module):
    """Reads the words in order; padding stays at the end and is averaged away."""

    def __init__(self, size):
        super().__init__()
        self.words = nn.Embedding(size, 8)
        self.reader = nn.LSTM(8, 8, batch_first=True)
        self.out = nn.Linear(8, 3)

    def forward(self, input_ids, attention_mask):
        states, _ = self.reader(self.words(input_ids))
        mask = attention_mask.unsqueeze(-1).float()
        return self.out((states * mask).sum(1) / mask.sum(1))

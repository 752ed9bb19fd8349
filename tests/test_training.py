"""Invariants of training: accumulation, resuming, batch order, and cached against online soft targets."""

import dataclasses
import os
import signal

import numpy as np
import pytest
import torch
from torch import nn

from distill.config.base import TrainingConfig
from distill.contracts import Task, TextClassifier, Workbench
from distill.corpus import LogitTable, Split
from distill.errors import InterruptedRunError, TrainingDivergedError
from distill.hardware import detect
from distill.inference import predict_logits
from distill.interruption import interruptible
from distill.objectives.configs import HardConfig, SoftTargetConfig
from distill.progress import Silence
from distill.tokenizer import FastTokenizer
from distill.training import Recipe, Schedule, TrainingSet, fit
from distill.training.batches import BatchOrder
from distill.training.module import DistillationModule

TASK = Task("multi_label", ("good", "bad"))
WORDS = ("fine", "nice", "awful", "poor", "day", "film", "food", "rain", "sun", "bus")


class KeptLog:
    """A run log that keeps its metrics in memory."""

    def __init__(self):
        self.lines = []

    def metrics(self, values, step):
        kept = {name: value for name, value in values.items() if name != "train/texts_per_second"}  # a timing
        self.lines.append((step, kept))

    def rewind(self, step):
        self.lines = [line for line in self.lines if line[0] <= step]


class BagOfWords(nn.Module):
    def __init__(self, words, labels, dropout=0.0):
        super().__init__()
        self.embedding = nn.Embedding(words, 8)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(8, labels)

    def forward(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1).to(self.embedding.weight.dtype)
        mean = (self.embedding(input_ids) * mask).sum(1) / mask.sum(1)
        return self.output(self.dropout(mean))


def make_texts(count, seed):
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 12))) for _ in range(count)]
    labels = np.array(
        [["fine" in t or "nice" in t, "awful" in t or "poor" in t] for t in texts], dtype=np.float32
    )
    return Split(tuple(str(i) for i in range(count)), tuple(texts), labels)


TRAIN, VALIDATION = make_texts(100, 0), make_texts(40, 1)


def make_classifier(dropout=0.0, seed=0):
    tokenizer = FastTokenizer.train(TRAIN.texts, model="word", min_frequency=1)
    torch.manual_seed(seed)
    return TextClassifier(tokenizer, BagOfWords(tokenizer.vocabulary_size, 2, dropout))


@pytest.fixture
def make_bench(tmp_path):
    def make(name="run", progress=None):
        for part in ("result", "scratch"):
            (tmp_path / name / part).mkdir(parents=True, exist_ok=True)
        return Workbench(
            tmp_path / name / "result", tmp_path / name / "scratch", KeptLog(), progress or Silence()
        )

    return make


def train(classifier, bench, *, objective=None, logits=None, checkpoint_seconds=1e9, split=TRAIN, **changes):
    settings = TrainingConfig(**({"max_epochs": 3, "batch_size": 16, "learning_rate": 0.05} | changes))
    return fit(
        classifier,
        (objective or HardConfig()).build(TASK, {"good": (50, 100), "bad": (50, 100)}),
        TrainingSet(split.texts, split.labels, logits),
        VALIDATION,
        TASK,
        recipe=Recipe(settings, "fp32", detect("cpu", 1), checkpoint_seconds),
        schedule=Schedule.for_rows(len(split), settings),
        seed=3,
        bench=bench,
    )


def weights_of(classifier):
    return torch.cat([p.detach().flatten() for p in classifier.network.parameters()]).numpy()


def test_training_learns_and_reports(make_bench):
    bench = make_bench()
    summary = train(make_classifier(), bench, max_epochs=30, patience=None)
    assert summary.steps == 210
    assert summary.metric_name == "validation/macro_ap"
    assert summary.best > 0.95
    curves = [values for _, values in bench.log.lines if "train/loss" in values]
    assert {"train/loss", "train/hard_loss", "train/learning_rate", "train/gradient_norm"} <= set(curves[0])
    assert curves[-1]["train/loss"] < curves[0]["train/loss"]


@pytest.mark.parametrize("micro", [1, 5, 16])
def test_accumulation_equals_a_larger_batch(make_bench, micro):
    whole, parts = make_classifier(), make_classifier()
    objective = SoftTargetConfig(soft_weight=0.6)
    logits = np.random.default_rng(5).normal(size=(100, 2)).astype(np.float32)
    half_known = dataclasses.replace(
        TRAIN, labels=np.where(np.arange(100)[:, None] % 3, TRAIN.labels, np.nan)
    )
    for classifier, name, size in ((whole, "whole", None), (parts, "parts", micro)):
        train(
            classifier,
            make_bench(name),
            objective=objective,
            logits=logits,
            split=half_known,
            micro_batch_size=size,
        )
    np.testing.assert_allclose(weights_of(whole), weights_of(parts), rtol=1e-4, atol=1e-5)


def test_first_step_equals_plain_pytorch(make_bench):
    """One step of AdamW on the mean over rows of the sum over labels, written out."""
    ours, plain = make_classifier(), make_classifier()
    settings = {"max_epochs": 1, "batch_size": 100, "warmup": 0, "weight_decay": 0.0, "gradient_clip": 1e9}
    train(ours, make_bench(), **settings)
    batch = plain.tokenizer.encode(TRAIN.texts)
    optimizer = torch.optim.AdamW(plain.network.parameters(), lr=0.05, weight_decay=0)
    loss = torch.zeros(())
    for encoding, labels in zip(batch, TRAIN.labels, strict=True):
        logits = plain.network(**{k: torch.from_numpy(v)[None] for k, v in encoding.items()})[0]
        loss = loss + nn.functional.binary_cross_entropy_with_logits(
            logits, torch.from_numpy(labels), reduction="sum"
        )
    (loss / 100).backward()
    optimizer.step()
    np.testing.assert_allclose(weights_of(ours), weights_of(plain), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("killed_at", [1, 6, 8, 13, 20])
def test_resumed_equals_uninterrupted(make_bench, monkeypatch, killed_at):
    straight, resumed = make_classifier(dropout=0.4), make_classifier(dropout=0.4)
    bench = make_bench("straight")
    expected = train(straight, bench)

    calls = {"steps": 0}
    step = DistillationModule.training_step

    def dying(self, batch, batch_idx):
        if calls["steps"] == killed_at:
            raise RuntimeError("killed")
        calls["steps"] += 1
        return step(self, batch, batch_idx)

    broken = make_bench("resumed")
    monkeypatch.setattr(DistillationModule, "training_step", dying)
    with pytest.raises(RuntimeError, match="killed"):
        train(resumed, broken, checkpoint_seconds=0)
    monkeypatch.setattr(DistillationModule, "training_step", step)
    fresh = make_classifier(dropout=0.4, seed=9)
    found = train(fresh, broken, checkpoint_seconds=0)
    assert found == expected
    np.testing.assert_array_equal(weights_of(fresh), weights_of(straight))
    assert [s for s, _ in broken.log.lines] == sorted({s for s, _ in broken.log.lines})
    assert broken.log.lines == bench.log.lines


def test_sigterm_saves_first_and_training_goes_on(make_bench):
    class Terminates(Silence):
        def advance(self, done, total, note=""):
            os.kill(os.getpid(), signal.SIGTERM)

    straight = make_classifier(dropout=0.4)
    expected = train(straight, make_bench("straight"))
    bench = make_bench("stopped", Terminates())
    with interruptible(), pytest.raises(InterruptedRunError):
        train(make_classifier(dropout=0.4), bench)
    assert (bench.scratch / "last.ckpt").is_file()
    again = make_classifier(dropout=0.4, seed=9)
    assert train(again, dataclasses.replace(bench, progress=Silence())) == expected
    np.testing.assert_array_equal(weights_of(again), weights_of(straight))


def test_cached_soft_targets_equal_online_ones(make_bench, tmp_path):
    teacher = make_classifier(seed=7)
    online = predict_logits(teacher, TRAIN.texts, batch_size=100)
    shuffled = np.random.default_rng(2).permutation(100)
    LogitTable(tuple(TRAIN.ids[i] for i in shuffled), online[shuffled]).save(
        tmp_path / "t.parquet", TASK.label_names
    )
    cached = LogitTable.load(tmp_path / "t.parquet").rows(TRAIN.ids)
    np.testing.assert_array_equal(cached, online)
    one, other = make_classifier(), make_classifier()
    soft = SoftTargetConfig(soft_weight=1)
    train(one, make_bench("online"), objective=soft, logits=online)
    train(other, make_bench("cached"), objective=soft, logits=cached)
    np.testing.assert_array_equal(weights_of(one), weights_of(other))


def test_divergence_is_an_error_of_its_own(make_bench):
    classifier = make_classifier()
    with torch.no_grad():
        classifier.network.output.weight.fill_(float("inf"))
    with pytest.raises(TrainingDivergedError, match=r"training diverged at step 1: the gradient norm is nan"):
        train(classifier, make_bench())


def test_early_stopping_keeps_the_best_weights(make_bench):
    bench = make_bench()
    classifier = make_classifier()
    summary = train(classifier, bench, max_epochs=60, patience=2, learning_rate=0.2)
    assert summary.steps < 60 * 7
    values = {s: v["validation/macro_ap"] for s, v in bench.log.lines if "validation/macro_ap" in v}
    best = max(values.values())
    assert summary.best == pytest.approx(best)
    assert summary.best_step == min(step for step, value in values.items() if value == best)
    assert list(values)[-1] - summary.best_step == 2 * 7


@pytest.mark.parametrize("bucket", [True, False])
def test_every_epoch_reads_every_row_once_in_another_order(bucket):
    lengths = np.random.default_rng(0).integers(1, 40, 103)
    order = BatchOrder(lengths, 10, seed=1, bucket_by_length=bucket)
    assert order.batches_per_epoch == 11
    epochs = [[order.rows(e * 11 + i) for i in range(11)] for e in range(2)]
    for epoch in epochs:
        assert sorted(np.concatenate(epoch)) == list(range(103))
        assert sorted(map(len, epoch)) == [3] + [10] * 10
    assert not np.array_equal(np.concatenate(epochs[0]), np.concatenate(epochs[1]))
    again = BatchOrder(lengths, 10, seed=1, bucket_by_length=bucket)
    np.testing.assert_array_equal(again.rows(15), order.rows(15))


def test_bucketing_saves_padding():
    lengths = np.random.default_rng(0).integers(1, 40, 1000)

    def padding(bucket):
        order = BatchOrder(lengths, 10, seed=1, bucket_by_length=bucket)
        return sum(max(lengths[order.rows(i)]) * 10 - sum(lengths[order.rows(i)]) for i in range(100))

    assert padding(True) < padding(False) / 5


def test_every_objective_gets_the_same_number_of_steps():
    settings = TrainingConfig(max_epochs=3, batch_size=32, validations_per_epoch=2)
    schedule = Schedule.for_rows(1000, settings)
    assert schedule.total_steps == 3 * 32
    assert schedule.steps_per_validation == 16

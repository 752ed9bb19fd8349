from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from measuring import make_bench
from scipy.special import expit, log_softmax, softmax
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
)

from distill.contracts import Task
from distill.corpus import Corpus, LogitTable, Split
from distill.errors import DataError
from distill.stages.evaluation import evaluate
from distill.stages.evaluation.calibration import best_threshold, fit_temperature

LABELS = ("joy", "anger", "$fear_")


def split_of(name, labels):
    ids = tuple(f"{name}-{row}" for row in range(len(labels)))
    return Split(ids, tuple(f"text {row}" for row in range(len(labels))), labels)


def multi_label(rng, name, rows=400, unknown=0.15):
    """Return a split with unknown labels, over-confident logits with ties, and a teacher's."""
    truth = rng.normal(-1, 1.5, (rows, 3))
    labels = (rng.random((rows, 3)) < expit(truth)).astype(np.float32)
    labels[rng.random((rows, 3)) < unknown] = np.nan
    logits = (3 * (truth + rng.normal(0, 0.5, (rows, 3)))).round(1).astype(np.float32)
    return split_of(name, labels), logits, truth.astype(np.float32)


def single_label(rng, name, rows=400, unknown=0.15):
    truth = rng.normal(0, 1.5, (rows, 3))
    labels = np.array([rng.choice(3, p=p) for p in softmax(truth, axis=1)])
    labels[rng.random(rows) < unknown] = -1
    logits = (2 * (truth + rng.normal(0, 0.5, (rows, 3)))).round(1).astype(np.float32)
    return split_of(name, labels), logits, truth.astype(np.float32)


def evaluated(folder, kind, change=None, teacher=True):
    """Evaluate made-up answers; return the result's folder, the splits, and logits by split."""
    rng = np.random.default_rng(7)
    make = multi_label if kind == "multi_label" else single_label
    made = {name: make(rng, name) for name in ("validation", "test")}
    if change:
        change(made)
    empty = split_of("none", made["test"][0].labels[:0])
    corpus = Corpus(Task(kind, LABELS), empty, made["validation"][0], made["test"][0], empty)
    tables = [{name: LogitTable(found[0].ids, found[i]) for name, found in made.items()} for i in (1, 2)]
    bench = make_bench(folder)
    evaluate(corpus=corpus, logits=tables[0], teacher=tables[1] if teacher else None, bench=bench)
    return bench, made


def read(bench, name):
    return json.loads((bench.result / name).read_text(encoding="utf-8"))


def expected_calibration_error(probable, truth):
    """The textbook's: 15 equal bins, the last one closed."""
    bins = np.minimum((probable.astype(np.float64) * 15).astype(int), 14)
    inside = [bins == b for b in range(15) if (bins == b).any()]
    return sum(abs(probable[rows].mean() - truth[rows].mean()) * rows.mean() for rows in inside)


@pytest.fixture(scope="module")
def multi(tmp_path_factory):
    return evaluated(tmp_path_factory.mktemp("multi"), "multi_label")


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    return evaluated(tmp_path_factory.mktemp("single"), "single_label")


@pytest.mark.parametrize("name", ["validation", "test"])
def test_every_figure_of_independent_labels_agrees_with_an_oracle(multi, name):
    bench, made = multi
    found, calibration = read(bench, "metrics.json")[name], read(bench, "calibration.json")
    split, logits, teacher = made[name]
    labels, known = split.labels, ~np.isnan(split.labels)
    probable = expit(logits.astype(np.float64) / calibration["temperature"]).astype(np.float32)
    decided = probable >= np.array([calibration["thresholds"][label] for label in LABELS])
    columns = [(labels[known[:, i], i], logits[known[:, i], i], decided[known[:, i], i]) for i in range(3)]
    f1 = [f1_score(truth, decision) for truth, _, decision in columns]
    positives = [truth.sum() for truth, _, _ in columns]
    errors = [expected_calibration_error(probable[known[:, i], i], labels[known[:, i], i]) for i in range(3)]
    p, q = expit(teacher.astype(np.float64)), expit(logits.astype(np.float64))
    divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    assert found.pop("agreement") == pytest.approx(np.mean(_agreement(made, name, decided)))
    assert found == pytest.approx(
        {
            "macro_ap": np.mean([average_precision_score(truth, scores) for truth, scores, _ in columns]),
            "macro_roc_auc": np.mean([roc_auc_score(truth, scores) for truth, scores, _ in columns]),
            "macro_f1": np.mean(f1),
            "micro_f1": f1_score(labels[known], decided[known]),
            "weighted_f1": np.average(f1, weights=positives),
            "exact_match": np.mean(
                [(decided[r] == labels[r])[known[r]].all() for r in np.flatnonzero(known.any(1))]
            ),
            "log_loss": log_loss(
                labels[known], expit(logits[known].astype(np.float64) / calibration["temperature"])
            ),
            "calibration_error": np.mean(errors),
            "undefined_labels": 0,
            "examples": 400,
            "divergence": divergence.sum(axis=1).mean(),
        },
        abs=1e-5,
    )


def _agreement(made, name, decided):
    """Decide for the teacher as for anybody: its own temperature and thresholds, from validation."""
    task = Task("multi_label", LABELS)
    validation, _, logits = made["validation"]
    temperature = fit_temperature(task, logits, validation.labels)
    known = ~np.isnan(validation.labels)
    probable = expit(logits.astype(np.float64) / temperature).astype(np.float32)
    thresholds = [
        best_threshold(probable[known[:, i], i], validation.labels[known[:, i], i]) for i in range(3)
    ]
    theirs = expit(made[name][2].astype(np.float64) / temperature).astype(np.float32) >= np.array(thresholds)
    return (theirs == decided).all(axis=1)


@pytest.mark.parametrize("name", ["validation", "test"])
def test_every_figure_of_classes_agrees_with_an_oracle(single, name):
    bench, made = single
    found, calibration = read(bench, "metrics.json")[name], read(bench, "calibration.json")
    assert calibration["thresholds"] == {}
    split, logits, teacher = made[name]
    known = split.labels >= 0
    labels, all_logits = split.labels[known], logits.astype(np.float64)
    probable = softmax(all_logits / calibration["temperature"], axis=1)[known]
    raw, decided = softmax(all_logits, axis=1)[known], logits[known].argmax(axis=1)
    truth = np.eye(3)[labels]
    p, q = log_softmax(teacher.astype(np.float64), axis=1), log_softmax(all_logits, axis=1)
    right = decided == labels
    assert found == pytest.approx(
        {
            "macro_ap": average_precision_score(truth, raw, average="macro"),
            "macro_roc_auc": roc_auc_score(truth, raw, average="macro"),
            "macro_f1": f1_score(labels, decided, average="macro"),
            "micro_f1": f1_score(labels, decided, average="micro"),
            "weighted_f1": f1_score(labels, decided, average="weighted"),
            "exact_match": accuracy_score(labels, decided),
            "log_loss": log_loss(labels, probable),
            "calibration_error": expected_calibration_error(probable.max(axis=1), right),
            "undefined_labels": 0,
            "examples": 400,
            "agreement": np.mean(teacher.argmax(axis=1) == logits.argmax(axis=1)),
            "divergence": (np.exp(p) * (p - q)).sum(axis=1).mean(),
        },
        abs=1e-5,
    )


def test_per_label_table_and_the_row_of_any_label(multi):
    bench, made = multi
    table = pd.read_csv(bench.result / "per_label.csv")
    assert table["label"].tolist() == [*LABELS, "any label"] * 2
    split, logits, _ = made["test"]
    known = ~np.isnan(split.labels)
    row = table[(table["split"] == "test") & (table["label"] == "anger")].iloc[0]
    truth, scores = split.labels[known[:, 1], 1], logits[known[:, 1], 1]
    assert (row["positives"], row["known"]) == (truth.sum(), len(truth))
    assert row["ap"] == pytest.approx(average_precision_score(truth, scores), abs=1e-6)
    assert row["threshold"] == read(bench, "calibration.json")["thresholds"]["anger"]
    holds = (split.labels == 1).any(axis=1)
    sure = holds | known.all(axis=1)
    row = table[(table["split"] == "test") & (table["label"] == "any label")].iloc[0]
    assert (row["positives"], row["known"]) == (holds.sum(), sure.sum())
    assert row["roc_auc"] == pytest.approx(roc_auc_score(holds[sure], logits[sure].max(axis=1)), abs=1e-6)
    probable = expit(logits.astype(np.float64) / read(bench, "calibration.json")["temperature"]).max(axis=1)
    assert row["f1"] == pytest.approx(f1_score(holds[sure], probable[sure] >= row["threshold"]))


def test_pictures_logits_and_the_dashboard(multi, single):
    bench, made = multi
    assert bench.log.pictures == ["roc", "precision_recall"]
    assert single[0].log.pictures == ["roc", "precision_recall", "confusion"]
    np.testing.assert_array_equal(LogitTable.load(bench.result / "test.parquet").values, made["test"][1])
    assert bench.log.summaries["test/macro_ap"] == read(bench, "metrics.json")["test"]["macro_ap"]
    assert len(bench.log.tables["per_label"][1]) == 8
    assert read(bench, "metrics.json")["selection_metric"] == "macro_ap"
    assert read(single[0], "metrics.json")["selection_metric"] == "macro_f1"


def test_confusion_counts_the_labelled_texts(single):
    bench, made = single
    split, logits, _ = made["test"]
    known = split.labels >= 0
    table = pd.read_csv(bench.result / "confusion.csv", index_col="label")
    assert (
        table.to_numpy().tolist()
        == confusion_matrix(split.labels[known], logits[known].argmax(axis=1)).tolist()
    )


def test_labels_without_positives_in_test_are_undefined_left_out_and_counted(tmp_path, multi):
    def never_angry(made):
        made["test"][0].labels[:, 1] = 0

    bench, made = evaluated(tmp_path, "multi_label", never_angry, teacher=False)
    found, table = read(bench, "metrics.json")["test"], pd.read_csv(bench.result / "per_label.csv")
    split, logits, _ = made["test"]
    known = ~np.isnan(split.labels)
    each = [average_precision_score(split.labels[known[:, i], i], logits[known[:, i], i]) for i in (0, 2)]
    assert found["undefined_labels"] == 1
    assert found["macro_ap"] == pytest.approx(np.mean(each), abs=1e-6)
    assert "agreement" not in found
    row = table[(table["split"] == "test") & (table["label"] == "anger")].iloc[0]
    assert row[["ap", "roc_auc", "f1"]].isna().all()
    assert read(bench, "calibration.json") == read(multi[0], "calibration.json")  # test has no say in it


def test_a_label_without_positives_in_validation_keeps_one_half(tmp_path):
    def never_angry(made):
        made["validation"][0].labels[:, 1] = 0

    bench, _ = evaluated(tmp_path, "multi_label", never_angry)
    assert read(bench, "calibration.json")["thresholds"]["anger"] == 0.5


def test_a_split_without_known_labels_is_an_error(tmp_path):
    def forget(made):
        made["test"][0].labels[:] = np.nan

    with pytest.raises(DataError) as error:
        evaluated(tmp_path, "multi_label", forget)
    assert str(error.value) == "test: no example has a known label, so that nothing can be measured"


@pytest.mark.parametrize("kind", ["multi_label", "single_label"])
def test_temperature_has_the_least_log_loss(kind):
    rng = np.random.default_rng(3)
    split, logits, _ = (multi_label if kind == "multi_label" else single_label)(rng, "validation", rows=1000)
    labels, known = split.labels, split.labels >= 0
    found = fit_temperature(Task(kind, LABELS), logits, labels)

    def loss(temperature):
        scaled = logits.astype(np.float64) / temperature
        if kind == "multi_label":
            return log_loss(labels[known], expit(scaled[known]))
        return log_loss(labels[known], softmax(scaled[known], axis=1))

    grid = np.exp(np.linspace(np.log(0.5), np.log(8), 400))
    assert found == pytest.approx(min(grid, key=loss), rel=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_threshold_has_the_best_f1(seed):
    rng = np.random.default_rng(seed)
    scores = rng.random(40).round(1).astype(np.float32)  # many ties
    truth = (rng.random(40) < scores).astype(int)
    truth[0] = 1
    threshold = best_threshold(scores, truth)
    precision, recall, _ = precision_recall_curve(truth, scores)
    best = max(2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True) if p + r > 0)
    assert f1_score(truth, scores >= threshold) == pytest.approx(best)
    assert (
        np.abs(scores.astype(np.float64) - threshold).min() > 1e-3
    )  # halfway, so that rounding flips nothing

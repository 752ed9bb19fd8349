from __future__ import annotations

import json

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch
from measuring import make_bench
from scipy.special import expit, log_softmax, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    confusion_matrix,
    f1_score,
    log_loss,
    multilabel_confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
)
from torchmetrics.functional.classification import binary_calibration_error

from distill.charts import FAINT
from distill.contracts import Task
from distill.corpus import Corpus, LogitTable, Split
from distill.errors import DataError
from distill.stages.evaluation import evaluate, reliability_diagram
from distill.stages.evaluation.calibration import best_threshold, fit_temperature
from distill.stages.evaluation.heat_maps import draw_label_confusion
from distill.stages.evaluation.reliability import into_bins

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
    names = ["roc", "precision_recall", "calibration", "confusion_matrix"]
    assert bench.log.pictures == single[0].log.pictures == names
    assert not set(names) & set(bench.log.tables)  # of two things of one name the dashboard shows the later
    np.testing.assert_array_equal(LogitTable.load(bench.result / "test.parquet").values, made["test"][1])
    assert bench.log.summaries["test/macro_ap"] == read(bench, "metrics.json")["test"]["macro_ap"]
    assert len(bench.log.tables["per_label"][1]) == 8
    assert read(bench, "metrics.json")["selection_metric"] == "macro_ap"
    assert read(single[0], "metrics.json")["selection_metric"] == "macro_f1"


def test_confusion_counts_the_labelled_texts(single):
    bench, made = single
    split, logits, _ = made["test"]
    known = split.labels >= 0
    expected = confusion_matrix(split.labels[known], logits[known].argmax(axis=1)).tolist()
    table = pd.read_csv(bench.result / "confusion.csv", index_col="label")
    assert table.to_numpy().tolist() == expected
    columns, rows = bench.log.tables["confusion"]
    assert columns == ["true", "predicted", "count"]
    pairs = [[LABELS[i], LABELS[j], expected[i][j]] for i in range(3) for j in range(3)]
    assert json.loads(json.dumps(rows)) == pairs


def test_confusion_counts_each_label_at_its_threshold(multi):
    bench, made = multi
    split, logits, _ = made["test"]
    calibration = read(bench, "calibration.json")
    probable = expit(logits.astype(np.float64) / calibration["temperature"]).astype(np.float32)
    decided = probable >= np.array([calibration["thresholds"][label] for label in LABELS])
    expected = []
    for i, label in enumerate(LABELS):
        known = ~np.isnan(split.labels[:, i])
        matrix = multilabel_confusion_matrix(split.labels[known, i], decided[known, i], labels=[1])
        expected.append([label, *matrix[0].ravel().tolist()])  # tn, fp, fn, tp
    table = pd.read_csv(bench.result / "confusion.csv")
    assert table.columns.tolist() == ["label", "tn", "fp", "fn", "tp"]
    assert table.to_numpy().tolist() == expected
    columns, rows = bench.log.tables["confusion"]
    assert columns == table.columns.tolist()
    assert json.loads(json.dumps(rows)) == expected


@pytest.mark.parametrize("number", [1, 2, 28, 70])
def test_confusion_of_any_number_of_labels_can_be_drawn(tmp_path, number):
    counts = np.random.default_rng(number).integers(0, 2000, (number, 4))
    counts[-1] = 0  # no text of that label is known
    names = pd.Index([f"$label {i} {'x' * i}" for i in range(number)], name="label")
    draw_label_confusion(pd.DataFrame(counts, index=names), tmp_path / "confusion.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "confusion.png").shape
    assert height < 2400
    assert width < 1000


def drawn(folder, kind, monkeypatch, change=None):
    """Evaluate made-up answers; return the bench, the splits, and the axes of the reliability diagram."""
    figures = []
    save = reliability_diagram.save_png
    monkeypatch.setattr(
        reliability_diagram, "save_png", lambda figure, path: [figures.append(figure), save(figure, path)]
    )
    bench, made = evaluated(folder, kind, change)
    return bench, made, figures[0].axes


def line(axes, begins):
    return next(each.get_xydata() for each in axes.lines if begins in str(each.get_label()))


def curve(truth, probable):
    frequency, mean = calibration_curve(truth, probable.astype(np.float64), n_bins=15)
    return np.stack([mean, frequency], axis=1)


def test_reliability_diagram_of_classes_shows_the_calibration_error(tmp_path, monkeypatch):
    bench, made, (axes, below) = drawn(tmp_path, "single_label", monkeypatch)
    split, logits, _ = made["test"]
    known = split.labels >= 0
    right = logits[known].argmax(axis=1) == split.labels[known]
    for name, temperature in (("after", read(bench, "calibration.json")["temperature"]), ("before", 1)):
        top = softmax(logits[known].astype(np.float64) / temperature, axis=1).max(axis=1)
        np.testing.assert_allclose(line(axes, name), curve(right, top), atol=1e-6)
    counts = np.array([bar.get_height() for bar in below.patches if hasattr(bar, "get_height")])
    shown = line(axes, "after")
    error = np.average(np.abs(shown[:, 0] - shown[:, 1]), weights=counts[counts > 0])
    assert counts.sum() == known.sum()
    assert error == pytest.approx(read(bench, "metrics.json")["test"]["calibration_error"], abs=1e-9)


def test_reliability_diagram_of_labels_pools_them_and_shows_each(tmp_path, monkeypatch):
    def never_angry(made):
        made["test"][0].labels[:, 1] = 0

    bench, made, (axes, below) = drawn(tmp_path, "multi_label", monkeypatch, never_angry)
    split, logits, _ = made["test"]
    defined = [0, 2]
    labels, known = split.labels[:, defined], ~np.isnan(split.labels[:, defined])
    for name, temperature in (("after, t", read(bench, "calibration.json")["temperature"]), ("before", 1)):
        probable = expit(logits[:, defined].astype(np.float64) / temperature).astype(np.float32)
        np.testing.assert_allclose(line(axes, name), curve(labels[known], probable[known]), atol=1e-6)
    probable = expit(logits[:, defined] / read(bench, "calibration.json")["temperature"])
    faint = [each.get_xydata() for each in axes.lines if each.get_color() == FAINT]
    errors = []
    for i, shown in enumerate(faint):
        truth, scores = labels[known[:, i], i], probable[known[:, i], i]
        np.testing.assert_allclose(shown, curve(truth, scores), atol=1e-6)
        counts = np.histogram(scores, bins=15, range=(0, 1))[0]
        errors.append(np.average(np.abs(shown[:, 0] - shown[:, 1]), weights=counts[counts > 0]))
    assert len(errors) == 2
    assert np.mean(errors) == pytest.approx(
        read(bench, "metrics.json")["test"]["calibration_error"], abs=1e-9
    )
    counts = [bar.get_height() for bar in below.patches if hasattr(bar, "get_height")]
    assert counts == np.histogram(probable[known], bins=15, range=(0, 1))[0].tolist()


def test_counts_are_written_short():
    counts = [0, 999, 1000, 1999, 9999, 10_000, 999_999, 1_000_000, 12_345_678]
    expected = ["0", "999", "1k", "1.9k", "9.9k", "10k", "999k", "1M", "12M"]
    assert [reliability_diagram.short(count) for count in counts] == expected


@pytest.mark.parametrize("seed", range(5))
def test_calibration_error_agrees_with_torchmetrics(seed):
    rng = np.random.default_rng(seed)
    probable = rng.beta(0.5, 0.5, 3000).astype(np.float32)
    probable[:3] = 0, 0.999999, 1
    truth = (rng.random(3000) < probable**2).astype(np.int64)
    capped = np.minimum(probable, np.float32(0.9999999))  # torchmetrics gives 1 a bin of its own
    expected = binary_calibration_error(torch.from_numpy(capped), torch.from_numpy(truth), n_bins=15)
    assert into_bins(probable, truth).error == pytest.approx(float(expected), abs=1e-6)


def test_without_a_defined_label_there_is_no_reliability_diagram(tmp_path):
    def never(made):
        made["test"][0].labels[:] = 0

    bench, _ = evaluated(tmp_path, "multi_label", never)
    assert bench.log.pictures == ["confusion_matrix"]
    assert read(bench, "metrics.json")["test"]["calibration_error"] is None


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

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from distill.contracts import Task
from distill.errors import DataError
from distill.metrics import (
    average_precision,
    defined_labels,
    f1_by_label,
    label_columns,
    macro,
    micro_f1,
    one_hot,
    ranking_scores,
    roc_auc,
    selection_metric_name,
    validation_metric,
)

MULTI = Task("multi_label", ("joy", "anger", "fear"))
SINGLE = Task("single_label", ("place", "person", "thing", "time"))


def multi_label_data(seed=0, rows=300, unknown=0.2):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (rows, 3)).round(1).astype(np.float32)  # rounded, so that there are ties
    labels = (rng.random((rows, 3)) < 1 / (1 + np.exp(-logits + 1))).astype(np.float32)
    labels[rng.random((rows, 3)) < unknown] = np.nan
    return logits, labels


def single_label_data(seed=0, rows=300, unknown=0.2):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, 4)).round(1).astype(np.float32)
    labels = np.array([rng.choice(4, p=p) for p in softmax(logits.astype(float), axis=1)])
    labels[rng.random(rows) < unknown] = -1
    return logits, labels


@pytest.mark.parametrize("seed", range(5))
def test_ranking_metrics_agree_with_sklearn(seed):
    logits, labels = multi_label_data(seed)
    for label in range(3):
        known = ~np.isnan(labels[:, label])
        scores, truth = logits[known, label], labels[known, label].astype(int)
        assert average_precision(scores, truth) == pytest.approx(
            average_precision_score(truth, scores), abs=1e-6
        )
        assert roc_auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores), abs=1e-6)


def test_large_logits_are_not_tied_by_a_sigmoid():
    """In float32 a sigmoid maps all of these to 1, and a perfect ranking would look like chance."""
    scores, truth = np.array([40.0, 50, 60, 70], dtype=np.float32), np.array([0, 0, 1, 1])
    assert average_precision(scores, truth) == 1.0
    assert roc_auc(scores, truth) == 1.0


@pytest.mark.parametrize("metric", [average_precision, roc_auc])
def test_a_perfect_ranking_is_never_better_than_perfect(metric):
    """Of these sizes, some sum up to more than 1 in float32."""
    for rows in range(2, 300):
        for positives in {1, rows // 3 or 1, rows - 1}:
            scores, truth = np.arange(rows, dtype=np.float32), np.arange(rows) >= rows - positives
            assert metric(scores, truth.astype(np.int64)) <= 1.0
            assert metric(scores, truth.astype(np.int64)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1], []])
def test_a_label_of_one_kind_is_undefined(truth):
    scores = np.arange(len(truth), dtype=np.float32)
    assert average_precision(scores, np.array(truth, dtype=int)) is None
    assert roc_auc(scores, np.array(truth, dtype=int)) is None


def test_f1_agrees_with_sklearn_on_known_labels():
    logits, labels = multi_label_data()
    decisions = logits > 0.3
    known = ~np.isnan(labels)
    expected = [f1_score(labels[known[:, i], i], decisions[known[:, i], i]) for i in range(3)]
    assert f1_by_label(decisions, labels.astype(np.float64)) == pytest.approx(expected)
    assert micro_f1(decisions, labels.astype(np.float64)) == pytest.approx(
        f1_score(labels[known], decisions[known])
    )


def test_f1_of_a_single_label():
    columns, decisions = np.array([[1.0], [0.0], [1.0]]), np.array([[True], [True], [False]])
    assert f1_by_label(decisions, columns) == [0.5]


def test_undefined_labels_are_none_and_no_mean_counts_them():
    columns = np.array([[1.0, 0.0, np.nan], [0.0, 0.0, 1.0]])
    assert defined_labels(columns).tolist() == [True, False, False]
    assert f1_by_label(columns == 1, columns) == [1.0, None, None]
    assert macro([1.0, None, 0.5]) == 0.75
    assert macro([None]) is None


def test_validation_metric_of_independent_labels_is_macro_average_precision():
    logits, labels = multi_label_data(unknown=0)
    expected = average_precision_score(labels, logits, average="macro")
    assert selection_metric_name(MULTI) == "macro_ap"
    assert validation_metric(MULTI, logits, labels) == pytest.approx(expected, abs=1e-6)


def test_validation_metric_of_classes_is_macro_f1_over_the_labelled_rows():
    logits, labels = single_label_data()
    known = labels >= 0
    expected = f1_score(labels[known], logits[known].argmax(1), average="macro")
    assert selection_metric_name(SINGLE) == "macro_f1"
    assert validation_metric(SINGLE, logits, labels) == pytest.approx(expected)


def test_validation_metric_leaves_out_labels_without_positives():
    logits, labels = multi_label_data(unknown=0)
    labels[:, 1] = 0
    expected = average_precision_score(labels[:, [0, 2]], logits[:, [0, 2]], average="macro")
    assert validation_metric(MULTI, logits, labels) == pytest.approx(expected, abs=1e-6)


def test_validation_metric_needs_one_defined_label():
    with pytest.raises(DataError) as error:
        validation_metric(MULTI, np.zeros((2, 3), dtype=np.float32), np.zeros((2, 3), dtype=np.float32))
    assert str(error.value) == (
        "validation: no label has both a positive and a negative example, so that nothing can be chosen; "
        "give it more texts, or leave it out, and it is cut from train"
    )


def test_classes_become_one_column_each():
    columns = label_columns(SINGLE, np.array([2, -1, 0]))
    assert columns[0].tolist() == [0, 0, 1, 0]
    assert np.isnan(columns[1]).all()
    assert one_hot(np.array([[0.1, 0.7, 0.2]])).tolist() == [[False, True, False]]


def test_class_scores_are_log_odds():
    logits, _ = single_label_data()
    p = softmax(logits.astype(np.float64), axis=1)
    np.testing.assert_allclose(ranking_scores(SINGLE, logits), np.log(p) - np.log1p(-p), atol=1e-9)

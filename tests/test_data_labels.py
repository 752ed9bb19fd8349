"""Every way to say labels gives the same numbers."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_stage import prepared

EXPECTED = [[1, 0], [0, 1], [1, 1], [0, 0]]
TEXTS = ["one", "two", "three", "four"]


def all_splits(content, suffix="csv"):
    """Use one content for train, validation and test; texts get the split's name, so that none is removed."""
    return {f"{split}.{suffix}": content.replace("TEXT", split) for split in ("train", "validation", "test")}


def csv_of(header, cells):
    return f"text,{header}\n" + "".join(
        f"TEXT {text},{cell}\n" for text, cell in zip(TEXTS, cells, strict=True)
    )


@pytest.mark.parametrize(("zero", "one"), [("0", "1"), ("0.0", "1.0"), ("false", "true"), ("False", "True")])
def test_a_column_for_each_label(tmp_path, zero, one):
    cells = [",".join(one if value else zero for value in row) for row in EXPECTED]
    found = prepared(tmp_path, all_splits(csv_of("a,b", cells)), labels=["a", "b"])
    assert found.corpus.train.labels.tolist() == EXPECTED
    assert found.corpus.train.labels.dtype == np.float32


@pytest.mark.parametrize("convert", [int, float, bool])
def test_numbers_and_booleans_of_parquet(tmp_path, convert):
    for split in ("train", "validation", "test"):
        columns = {"text": [f"{split} {text}" for text in TEXTS]}
        columns |= {name: [convert(row[i]) for row in EXPECTED] for i, name in enumerate("ab")}
        pq.write_table(pa.table(columns), tmp_path / f"{split}.parquet")
    found = prepared(tmp_path, {}, labels=["a", "b"])
    assert found.corpus.train.labels.tolist() == EXPECTED


@pytest.mark.parametrize("cells", [["a", "b", "a; b", ""], ["0", "1", "1;0", " ; "]])
def test_a_delimited_string_of_names_or_indexes(tmp_path, cells):
    files = all_splits(csv_of("emotions", cells))
    found = prepared(tmp_path, files, labels=["a", "b"], label_column="emotions", delimiter=";")
    assert found.corpus.train.labels.tolist() == EXPECTED


@pytest.mark.parametrize("cells", [[["a"], ["b"], ["a", "b"], []], [[0], [1], [1, 0], []]])
def test_a_list_of_names_or_indexes(tmp_path, cells):
    rows = zip(TEXTS, cells, strict=True)
    content = "\n".join(json.dumps({"text": f"TEXT {text}", "labels": cell}) for text, cell in rows)
    found = prepared(tmp_path, all_splits(content, "jsonl"), labels=["a", "b"], label_column="labels")
    assert found.corpus.train.labels.tolist() == EXPECTED


def test_a_class_column_becomes_independent_labels(tmp_path):
    files = all_splits(csv_of("sentiment", ["negative", "positive", "neutral", "negative"]))
    found = prepared(
        tmp_path,
        files,
        labels=["negative", "positive"],
        label_column="sentiment",
        ignore_values=["neutral"],
    )
    assert found.corpus.task.kind == "multi_label"
    assert found.corpus.train.labels.tolist() == [[1, 0], [0, 1], [0, 0], [1, 0]]


@pytest.mark.parametrize("cells", [["b", "a", "b", "a"], ["1", "0", "1", "0"], ["1.0", "0", "1.0", "0.0"]])
def test_single_label_with_declared_classes(tmp_path, cells):
    files = all_splits(csv_of("class", cells))
    if "1.0" in cells:  # a number column of jsonl, not text
        rows = zip(TEXTS, cells, strict=True)
        content = "\n".join(json.dumps({"text": f"TEXT {t}", "class": float(cell)}) for t, cell in rows)
        files = all_splits(content, "jsonl")
    found = prepared(tmp_path, files, label="class", classes=["a", "b"])
    assert found.corpus.task.kind == "single_label"
    assert found.corpus.task.label_names == ("a", "b")
    assert found.corpus.train.labels.tolist() == [1, 0, 1, 0]
    assert found.corpus.train.labels.dtype == np.int64


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["yes", "no", "NA", "null"], ("NA", "no", "null", "yes")),
        (["10", "9", "1.0", "9"], ("1.0", "9", "10")),
    ],
)
def test_classes_of_the_column_stay_the_text_that_they_are(tmp_path, cells, names):
    found = prepared(tmp_path, all_splits(csv_of("class", cells)), label="class")
    assert found.corpus.task.label_names == names
    assert [found.corpus.task.label_names[i] for i in found.corpus.train.labels] == cells


def test_texts_that_look_like_missing_values_stay_texts(tmp_path):
    files = {"train.csv": "text,a\nNA,1\nnull,0\nnan,0\n1.0,1\n", "test.csv": "text,a\nx,1\n"}
    found = prepared(tmp_path, {**files, "validation.csv": files["test.csv"]}, labels=["a"])
    assert found.corpus.train.texts == ("NA", "null", "nan", "1.0")


@pytest.mark.parametrize(("unknown", "cell"), [(-1, "-1"), (-1, "-1.0"), (-1.0, "-1"), ("?", "?"), ("", "")])
def test_the_declared_unknown_value(tmp_path, unknown, cell):
    files = all_splits(csv_of("a,b", ["1,0", f"{cell},1", f"0,{cell}", "0,0"]))
    found = prepared(tmp_path, files, labels=["a", "b"], unknown_value=unknown)
    np.testing.assert_array_equal(found.corpus.train.labels, [[1, 0], [math.nan, 1], [0, math.nan], [0, 0]])
    assert found.report["splits"]["train"]["unknown_labels"] == 2
    assert found.report["splits"]["train"]["labels"]["a"] == {"positive": 1, "known": 3}


def test_unknown_and_ignored_classes_of_a_single_label_task_are_unlabelled(tmp_path):
    files = all_splits(csv_of("class", ["a", "?", "b", "other"]))
    found = prepared(tmp_path, files, label="class", unknown_value="?", ignore_values=["other"])
    assert found.corpus.task.label_names == ("a", "b")
    assert found.corpus.train.labels.tolist() == [0, -1, 1, -1]
    assert found.report["splits"]["train"]["unknown_labels"] == 2


def test_the_unknown_value_of_a_label_column(tmp_path):
    files = all_splits(csv_of("emotions", ["a", "b", "?", "a"]))
    found = prepared(tmp_path, files, labels=["a", "b"], label_column="emotions", unknown_value="?")
    np.testing.assert_array_equal(found.corpus.train.labels, [[1, 0], [0, 1], [math.nan, math.nan], [1, 0]])

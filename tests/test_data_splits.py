"""Splits: cut with every label's share, kept apart, limited; ids come from content."""

import hashlib
import math

import numpy as np
import pytest
from data_stage import SMALL, prepared
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.stages.data.splitting import pick_stratified


def sparse_labels(rows, labels):
    return (np.random.default_rng(0).random((rows, labels)) < 0.05).astype(np.float32)


def test_multi_label_picks_keep_every_share():
    labels = sparse_labels(2000, 5)
    picked, rest = pick_stratified(labels, 500, seed=0)
    assert len(picked) == 500
    np.testing.assert_array_equal(np.union1d(picked, rest), np.arange(2000))
    assert np.abs(labels[picked].sum(axis=0) - labels.sum(axis=0) / 4).max() <= 1
    without_any = labels.sum(axis=1) == 0
    assert without_any[picked].sum() == pytest.approx(without_any.sum() / 4, rel=0.02)


def test_single_label_picks_keep_every_share():
    labels = np.random.default_rng(0).choice([-1, 0, 1, 2], p=[0.1, 0.05, 0.25, 0.6], size=1000)
    picked, _ = pick_stratified(labels, 100, seed=0)
    expected = np.array([(labels == c).sum() / 10 for c in (-1, 0, 1, 2)])
    found = np.array([(labels[picked] == c).sum() for c in (-1, 0, 1, 2)])
    assert np.abs(found - expected).max() <= 1


def test_a_class_with_one_text_stays_in_the_rest():
    labels = np.array([0] * 50 + [1] * 50 + [2])
    for seed in range(5):
        _, rest = pick_stratified(labels, 30, seed)
        assert 100 in rest


def test_the_seed_decides():
    labels = sparse_labels(300, 3)
    first, again, other = (pick_stratified(labels, 60, seed)[0].tolist() for seed in (0, 0, 1))
    assert first == again != other


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_pick_has_exactly_its_size_and_loses_no_row(data):
    rows = data.draw(st.integers(2, 30))
    size = data.draw(st.integers(1, rows - 1))
    if data.draw(st.booleans()):
        cells = st.sampled_from([0.0, 1.0, math.nan])
        flat = data.draw(st.lists(cells, min_size=2 * rows, max_size=2 * rows))
        labels = np.array(flat, dtype=np.float32).reshape(rows, 2)
    else:
        labels = np.array(data.draw(st.lists(st.integers(-1, 3), min_size=rows, max_size=rows)))
    picked, rest = pick_stratified(labels, size, seed=0)
    assert len(picked) == size
    assert sorted([*picked, *rest]) == list(range(rows))


def one_file(rows):
    return {"train.csv": "text,a,b\n" + "".join(f"text {i},{i % 2},{i % 5 == 0:d}\n" for i in range(rows))}


def sizes(found):
    return {name: len(found.corpus.split(name)) for name in ("train", "validation", "test", "transfer")}


def test_missing_splits_are_cut_by_their_shares(tmp_path):
    found = prepared(tmp_path, one_file(200), labels=["a", "b"], splits={"validation": 0.1, "test": 0.2})
    assert sizes(found) == {"train": 140, "validation": 20, "test": 40, "transfer": 0}
    assert np.abs(found.corpus.test.labels.sum(axis=0) - [20, 8]).max() <= 2
    assert [
        found.report["splits"][name]["origin"] for name in ("train", "validation", "test", "transfer")
    ] == [
        "given",
        "cut from train",
        "cut from train",
        "none",
    ]


def test_a_given_test_split_stays_as_it_is(tmp_path):
    test = "text,a,b\nsame,1,0\nsame,0,1\nSame ,1,1\ntext 3,0,0\n"
    found = prepared(tmp_path, {**one_file(100), "test.csv": test}, labels=["a", "b"])
    assert found.corpus.test.texts == ("same", "same", "Same", "text 3")
    assert found.corpus.test.labels.tolist() == [[1, 0], [0, 1], [1, 1], [0, 0]]
    assert found.report["splits"]["test"]["official"] is True
    assert found.report["splits"]["test"]["repeated_texts"] == 2
    assert sizes(found)["validation"] == 10


def test_train_loses_what_stands_in_validation_or_test(tmp_path):
    train = "text,a,b\nTEST  text,1,0\nValidation text,1,0\nfree,1,1\n"
    found = prepared(tmp_path, {"train.csv": train, **SMALL}, labels=["a", "b"])
    assert found.corpus.train.texts == ("free",)
    assert found.report["overlap"]["removed_from_train"] == 2
    assert found.report["overlap"]["validation_in_test"] == 0


CONFLICT = "text,a,b\nagreed,1,0\ndoubtful,1,0\ndoubtful,0,0\nagreed,1,0\ndoubtful,1,1\ntie,0,1\ntie,1,1\n"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("drop", {"agreed": [1, 0], "last": [0, 1]}),
        ("union", {"agreed": [1, 0], "doubtful": [1, 1], "tie": [1, 1], "last": [0, 1]}),
        ("majority", {"agreed": [1, 0], "doubtful": [1, 0], "tie": [0, 1], "last": [0, 1]}),
        ("keep_first", {"agreed": [1, 0], "doubtful": [1, 0], "tie": [0, 1], "last": [0, 1]}),
    ],
)
def test_duplicates_of_train_are_merged(tmp_path, policy, expected):
    files = {"train.csv": f"{CONFLICT}last,0,1\n", **SMALL}
    found = prepared(tmp_path, files, labels=["a", "b"], conflicts=policy)
    train = found.corpus.train
    assert dict(zip(train.texts, train.labels.tolist(), strict=True)) == expected
    assert found.report["overlap"]["merged"] == {
        "rows_merged_away": 4,
        "conflicting_texts": 2,
        "dropped_by_conflict": 2 if policy == "drop" else 0,
    }


def test_an_unknown_label_is_no_conflict(tmp_path):
    files = {"train.csv": "text,a,b\nsame,-1,0\nsame,1,-1\nother,0,1\n", **SMALL}
    found = prepared(tmp_path, files, labels=["a", "b"], unknown_value=-1, conflicts="drop")
    assert found.corpus.train.labels.tolist() == [[1, 0], [0, 1]]
    assert found.report["overlap"]["merged"]["conflicting_texts"] == 0


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("majority", {"x": "b", "y": "a", "z": "b"}),
        ("keep_first", {"x": "a", "y": "a", "z": "b"}),
        ("drop", {"y": "a", "z": "b"}),
    ],
)
def test_classes_of_merged_texts(tmp_path, policy, expected):
    files = {name: content.replace("text,a,b", "text,class,b") for name, content in SMALL.items()}
    files = {name: content.replace(",1,0", ",a,0").replace(",0,1", ",b,0") for name, content in files.items()}
    files["train.csv"] = "text,class\nx,a\nx,b\ny,?\nx,b\ny,a\nz,b\n"
    found = prepared(tmp_path, files, label="class", unknown_value="?", conflicts=policy)
    names = [found.corpus.task.label_names[i] for i in found.corpus.train.labels]
    assert dict(zip(found.corpus.train.texts, names, strict=True)) == expected


def test_kept_duplicates_get_numbered_ids(tmp_path):
    files = {"train.csv": "text,a,b\nsame,1,0\nsame,1,1\nsame,0,1\n", **SMALL}
    found = prepared(tmp_path, files, labels=["a", "b"], duplicates="keep")
    digits = hashlib.sha256(b"same").hexdigest()[:16]
    assert found.corpus.train.ids == (digits, f"{digits}-2", f"{digits}-3")


def test_ids_differ_across_splits(tmp_path):
    files = {"train.csv": "text,a,b\nx,1,0\ny,0,1\n", "test.csv": "text,a,b\nz,1,0\n"}
    files["validation.csv"] = files["test.csv"]
    found = prepared(tmp_path, files, labels=["a", "b"])
    assert found.corpus.test.ids == (f"{found.corpus.validation.ids[0]}-2",)
    assert found.report["overlap"]["validation_in_test"] == 1


def test_limits_and_the_transfer_set_that_is_left_over(tmp_path):
    limits = {"train": 40, "transfer": 60, "validation": 10, "test": 20}
    found = prepared(tmp_path, one_file(300), labels=["a", "b"], limits=limits)
    assert sizes(found) == {"train": 40, "validation": 10, "test": 20, "transfer": 60}
    assert np.abs(found.corpus.train.labels.sum(axis=0) - [20, 8]).max() <= 2
    assert np.isnan(found.corpus.transfer.labels).all()
    together = [text for name in sizes(found) for text in found.corpus.split(name).texts]
    assert len(set(together)) == 130
    assert found.report["splits"]["transfer"]["origin"] == "left over from train"


def test_limits_above_what_there_is_change_nothing(tmp_path):
    limits = {"train": 10_000, "transfer": 5, "validation": 10_000}
    found = prepared(tmp_path, one_file(100), labels=["a", "b"], limits=limits)
    assert sizes(found) == {"train": 80, "validation": 10, "test": 10, "transfer": 0}


def test_a_limited_test_split_is_not_official(tmp_path):
    found = prepared(
        tmp_path,
        {**one_file(50), "test.csv": one_file(20)["train.csv"].replace("text ", "t")},
        labels=["a", "b"],
        limits={"test": 10},
    )
    assert sizes(found)["test"] == 10
    assert found.report["splits"]["test"]["official"] is False


def test_two_preparations_are_equal(tmp_path):
    results = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        found = prepared(
            tmp_path / name, one_file(200), labels=["a", "b"], limits={"train": 50, "transfer": 50}
        )
        results.append(
            [found.corpus.split(split).ids for split in ("train", "validation", "test", "transfer")]
        )
    assert results[0] == results[1]


def test_the_report_describes_lengths(tmp_path):
    files = {"train.csv": "text,a,b\n" + "".join(f"{'w ' * n},1,1\n" for n in range(1, 21)), **SMALL}
    found = prepared(tmp_path, files, labels=["a", "b"])
    assert found.report["splits"]["train"]["words_mean"] == pytest.approx(10.5)
    assert found.report["splits"]["train"]["words_p95"] == pytest.approx(np.percentile(np.arange(1, 21), 95))

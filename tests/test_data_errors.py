"""Whatever is wrong with the data, one message says where it is and what would be right."""

import gzip
import re
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_stage import SMALL, prepared

from distill.errors import DataError

GOOD_TRAIN = "text,a,b\nfirst,1,0\nsecond,0,1\n"


def message_of(folder, files, **config):
    """Return the message of the error, with the folder called FOLDER."""
    with pytest.raises(DataError) as caught:
        prepared(folder, files, **{"labels": ["a", "b"], **config})
    return str(caught.value).replace(str(folder), "FOLDER")


def train(content, **more):
    return {"train.csv": content, **SMALL, **more}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "txt,a,b\nfirst,1,0\n",
            "FOLDER/train.csv: data.text: no column 'text', did you mean 'txt'? (columns: txt, a, b)",
        ),
        (
            "text,a,c\nfirst,1,0\n",
            "FOLDER/train.csv: data.labels: no column 'b' (columns: text, a, c)",
        ),
        (
            "text,a,b\nfirst,1,0\nsecond,0,2\n",
            "FOLDER/train.csv:3: column 'b': '2' is neither 0 nor 1",
        ),
        (
            'text,a,b\n"two\nlines",1,0\n\nsecond,,1\n',
            "FOLDER/train.csv:5: column 'a': an empty cell is neither 0 nor 1",
        ),
        (
            "text,a,b\nfirst,1,0\n  ,0,1\n",
            "FOLDER/train.csv:3: column 'text' is empty; data.empty_texts: drop leaves such texts out",
        ),
        (
            "text,a,b\na, b,1,0\n",
            (
                "FOLDER/train.csv:2: 4 fields, but there are 3 columns; "
                "a text that holds ',' must stand in quotes"
            ),
        ),
        (
            "text,a,a\nfirst,1,0\n",
            "FOLDER/train.csv:1: two columns are called 'a'",
        ),
        (
            'text,a,b\nfirst,1,0\n"never closed,0,1\n',
            (
                "FOLDER/train.csv:3: the record that begins here cannot be read (unexpected end of data); "
                "where quote marks are part of the text, say quotes: false"
            ),
        ),
        (
            "",
            "FOLDER/train.csv: the file is empty; expected a line of column names",
        ),
        (
            "text,a,b\nfirst,1,0\nsecond,1,0\n",
            (
                "label 'b' has no positive in train (2 texts): nothing can learn it; "
                "leave it out of data.labels, bring texts that have it"
            ),
        ),
        (
            b"text,a,b\nfirst,1,0\ncaf\xe9,0,1\n",
            (
                "FOLDER/train.csv:3: byte 0xe9 is not valid utf-8; "
                "say which encoding the file has, for instance encoding: latin-1"
            ),
        ),
    ],
)
def test_a_bad_csv_file(tmp_path, content, expected):
    assert message_of(tmp_path, train(content)) == expected


def test_a_label_that_is_not_the_declared_unknown(tmp_path):
    message = message_of(tmp_path, train("text,a,b\nfirst,-1,0\nsecond,-2,1\n"), unknown_value=-1)
    assert message == "FOLDER/train.csv:3: column 'a': '-2' is neither 0, 1 nor the unknown_value -1"


def test_a_text_that_cleaning_leaves_empty(tmp_path):
    message = message_of(tmp_path, train("text,a,b\nhttp://x.y,1,0\n"), cleaning={"urls": ""})
    assert message == (
        "FOLDER/train.csv:2: column 'text' is empty after cleaning; "
        "data.empty_texts: drop leaves such texts out"
    )


def test_a_column_that_train_has_but_test_has_not(tmp_path):
    files = train(GOOD_TRAIN) | {"test.csv": "text,a\ntest text,0\n"}
    assert message_of(tmp_path, files) == ("FOLDER/test.csv: data.labels: no column 'b' (columns: text, a)")


def test_a_missing_file(tmp_path):
    message = message_of(tmp_path, {}, source={"files": "nowhere"})
    assert message == "FOLDER/nowhere: no such file or folder"


def test_a_missing_file_of_a_mapping(tmp_path):
    source = {"files": {"train": "train.csv", "test": "tset.csv"}}
    assert message_of(tmp_path, train(GOOD_TRAIN), source=source) == "FOLDER/tset.csv: no such file"


def test_a_folder_without_train(tmp_path):
    with_result = {"readme.md": "", "test.csv": GOOD_TRAIN}
    assert message_of(tmp_path, with_result) == (
        "FOLDER: no train.csv, .tsv, .jsonl or .parquet, also with .gz (found: readme.md, result, test.csv)"
    )


def test_an_unknown_suffix(tmp_path):
    assert message_of(tmp_path, {"train.xlsx": ""}) == (
        "FOLDER/train.xlsx: unknown suffix '.xlsx'; texts are read from .csv, .tsv, .jsonl or .parquet, "
        "also with .gz"
    )


def test_two_files_for_one_split(tmp_path):
    assert message_of(tmp_path, train(GOOD_TRAIN, **{"dev.csv": GOOD_TRAIN})) == (
        "FOLDER: both dev.csv and validation.csv could be the validation split; "
        "name the files: source: {files: {train: ...}}"
    )


def test_two_transfer_sets(tmp_path):
    files = train(GOOD_TRAIN, **{"transfer.csv": "text\nx\n", "more.csv": "text\ny\n"})
    assert message_of(tmp_path, files, transfer={"files": "more.csv"}) == (
        "data.transfer: data.source brings a transfer set already, FOLDER/transfer.csv; leave one of them out"
    )


def test_a_transfer_limit_without_anything_left_over(tmp_path):
    assert message_of(tmp_path, train(GOOD_TRAIN), limits={"transfer": 5}) == (
        "data.limits.transfer takes what limits.train leaves over; set limits.train too"
    )


def test_too_few_texts_to_cut(tmp_path):
    assert message_of(tmp_path, {"train.csv": GOOD_TRAIN}) == (
        "2 texts of train are too few to cut test from them (share 0.1)"
    )


def test_a_limit_that_loses_a_label_says_so(tmp_path):
    message = message_of(tmp_path, train(GOOD_TRAIN), limits={"train": 1})
    assert re.fullmatch(
        r"label '[ab]' has no positive in train \(1 texts\): nothing can learn it; "
        r"leave it out of data.labels, bring texts that have it or raise data.limits.train",
        message,
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            '{"text": "x", "a": 1, "b": 0}\n{"text": "y"',
            "FOLDER/train.jsonl:2: not a JSON object (Expecting ',' delimiter, column 13)",
        ),
        ('{"text": "x", "a": 1, "b": 0}\n\n[1]\n', "FOLDER/train.jsonl:3: not a JSON object but list"),
        (
            '{"text": "x", "a": 1, "b": 0}\n{"text": "y", "b": 1}\n',
            "FOLDER/train.jsonl:2: key 'a' is missing, which the first object has",
        ),
        ('{"text": 7, "a": 1, "b": 0}\n', "FOLDER/train.jsonl:1: column 'text': 7 is not text"),
        (
            '{"text": null, "a": 1, "b": 0}\n',
            "FOLDER/train.jsonl:1: column 'text' is empty; data.empty_texts: drop leaves such texts out",
        ),
        (
            '{"text": "x", "a": [1], "b": 0}\n',
            "FOLDER/train.jsonl:1: column 'a': [1] is neither 0 nor 1",
        ),
        (
            '{"text": "\\ud83d", "a": 1, "b": 0}\n',
            "FOLDER/train.jsonl:1: column 'text' holds half of a surrogate pair, which is no character",
        ),
        ("\n", "FOLDER/train.jsonl: the file is empty; expected a JSON object a line"),
    ],
)
def test_a_bad_jsonl_file(tmp_path, content, expected):
    assert message_of(tmp_path, {"train.jsonl": content, **SMALL}) == expected


def test_a_bad_parquet_row(tmp_path):
    table = pa.table({"text": ["x", "y"], "a": [1, 0], "b": [0.0, float("nan")]})
    pq.write_table(table, tmp_path / "train.parquet")
    assert message_of(tmp_path, SMALL) == (
        "FOLDER/train.parquet, row 2: column 'b': an empty cell is neither 0 nor 1"
    )


def test_a_damaged_parquet_file(tmp_path):
    message = message_of(tmp_path, {"train.parquet": b"not parquet at all", **SMALL})
    assert message.startswith("FOLDER/train.parquet: not a readable parquet file (")


def test_a_parquet_file_with_a_column_twice(tmp_path):
    column = pa.array(["x"])
    pq.write_table(pa.Table.from_arrays([column, column], ["text", "text"]), tmp_path / "train.parquet")
    assert message_of(tmp_path, SMALL) == "FOLDER/train.parquet: two columns are called 'text'"


@pytest.mark.parametrize("content", [b"plain text", gzip.compress(b"text,a,b\n" * 99)[:-9]])
def test_a_damaged_gz_file(tmp_path, content):
    message = message_of(tmp_path, {"train.csv.gz": content, **SMALL})
    assert message.startswith("FOLDER/train.csv.gz: cannot be read (")


@pytest.mark.parametrize(
    ("config", "test_row", "expected"),
    [
        (
            {"label": "class"},
            "anges",
            (
                "FOLDER/test.csv:2: column 'class': 'anges' is not among the classes of train, "
                "did you mean 'anger'? (known: anger, joy)"
            ),
        ),
        (
            {"label": "class", "classes": ["joy", "anger"]},
            "2",
            "FOLDER/test.csv:2: column 'class': '2' is not declared (known: joy, anger)",
        ),
        (
            {"labels": ["joy", "anger"], "label_column": "class", "ignore_values": ["neutral"]},
            "",
            "FOLDER/test.csv:2: column 'class': an empty cell is not declared (known: joy, anger, neutral)",
        ),
    ],
)
def test_an_unknown_class_in_a_later_split(tmp_path, config, test_row, expected):
    header = "text,class\n"
    files = {
        "train.csv": f"{header}first,joy\nsecond,anger\n",
        "validation.csv": f"{header}third,joy\n",
        "test.csv": f"{header}fourth,{test_row}\n",
    }
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, files, **config)
    assert str(caught.value).replace(str(tmp_path), "FOLDER") == expected


@pytest.mark.parametrize(("content", "found"), [("text,class\n", "none"), ("text,class\nx,\ny,one\n", "one")])
def test_a_class_column_with_less_than_two_classes(tmp_path, content, found):
    message = message_of(tmp_path, {"train.csv": content}, labels=None, label="class")
    assert message == f"FOLDER/train.csv: column 'class' needs two classes or more (found: {found})"


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_without_texts(tmp_path, split):
    files = train(GOOD_TRAIN) | {f"{split}.csv": "text,a,b\n"}
    assert message_of(tmp_path, files) == (
        f"the {split} split holds no text; leave it out, and it is cut from train"
    )


def test_ftfy_is_asked_for_but_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ftfy", None)
    assert message_of(tmp_path, train(GOOD_TRAIN), cleaning={"fix_mojibake": True}) == (
        "data.cleaning.fix_mojibake needs the package ftfy; pip install ftfy"
    )


def test_a_wrong_class_column(tmp_path):
    message = message_of(tmp_path, train(GOOD_TRAIN), labels=None, label="klass")
    assert message == "FOLDER/train.csv: data.label: no column 'klass' (columns: text, a, b)"

"""Every format and every source gives the same texts."""

import csv
import gzip
import hashlib
import io
import json

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_stage import SMALL, prepared

from distill.config.source import SourceConfig
from distill.errors import DataError
from distill.stages.data.tables import read_table

ROWS = [
    {"text": 'said "so", twice', "a": 1, "b": 0},
    {"text": "line one\rstill\nline two", "a": 0, "b": 1},
    {"text": "tab\tand ünïcode 😀 \x85", "a": 1, "b": 1},
]


def delimited(delimiter):
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=["text", "a", "b"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue().encode()


def parquet():
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), out)
    return out.getvalue()


CONTENT = {
    ".csv": delimited(","),
    ".tsv": delimited("\t"),
    ".jsonl": "\n".join(json.dumps(row) for row in ROWS).encode(),
    ".parquet": parquet(),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("suffix", CONTENT)
def test_every_format_gives_the_same_texts(tmp_path, suffix, zipped):
    content = gzip.compress(CONTENT[suffix]) if zipped else CONTENT[suffix]
    files = {f"train{suffix}{'.gz' if zipped else ''}": content, **SMALL}
    found = prepared(tmp_path, files, labels=["a", "b"], cleaning={"whitespace": False, "unicode": None})
    assert found.corpus.train.texts == tuple(row["text"] for row in ROWS)
    assert found.corpus.train.labels.tolist() == [[row["a"], row["b"]] for row in ROWS]


def test_other_encodings_and_a_byte_order_mark(tmp_path):
    latin = {name: content.encode("latin-1") for name, content in SMALL.items()}
    found = prepared(
        tmp_path,
        {"train.csv": "text,a,b\ncafé,1,1\n".encode("latin-1"), **latin},
        source={"files": ".", "encoding": "latin-1"},
        labels=["a", "b"],
    )
    assert found.corpus.train.texts == ("café",)
    (tmp_path / "bom.csv").write_bytes("\ufefftext,a\nx,1\n".encode())
    table = read_table(tmp_path / "bom.csv", SourceConfig(files="bom.csv"))
    assert list(table.columns) == ["text", "a"]


def test_quote_marks_that_are_part_of_the_text(tmp_path):
    content = 'text\ta\tb\n"open\t1\t0\nclosed"\t0\t1\n'
    test = {name.replace("csv", "tsv"): text.replace(",", "\t") for name, text in SMALL.items()}
    found = prepared(
        tmp_path, {"train.tsv": content, **test}, source={"files": ".", "quotes": False}, labels=["a", "b"]
    )
    assert found.corpus.train.texts == ('"open', 'closed"')


def test_a_mapping_of_splits_and_a_transfer_set(tmp_path):
    files = {
        "x.csv": "text,a,b\none,1,0\ntwo,0,1\n",
        "y.csv": SMALL["test.csv"],
        "z.csv": SMALL["validation.csv"],
    }
    files["more.jsonl"] = '{"text": "unlabelled"}\n{"text": "Test  TEXT"}\n{"text": "two"}\n'
    found = prepared(
        tmp_path,
        files,
        source={"files": {"train": "x.csv", "test": "y.csv", "validation": "z.csv"}},
        transfer={"files": "more.jsonl"},
        labels=["a", "b"],
    )
    assert found.corpus.transfer.texts == ("unlabelled",)
    assert found.corpus.transfer.labels.shape == (1, 2)
    assert found.report["overlap"]["removed_from_transfer"] == 2
    assert found.report["splits"]["transfer"]["unknown_labels"] == 2


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that ships a data set, whose code cannot be imported."""
    site = tmp_path / "site"
    (site / "tiny_corpus").mkdir(parents=True)
    (site / "tiny_corpus" / "__init__.py").write_text("raise RuntimeError('imported')")
    content = "".join(f"text {i},{i % 2}\n" for i in range(40))
    (site / "tiny_corpus" / "all.csv").write_text(f"text,a\n{content}")
    about = site / "tiny_corpus-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: tiny-corpus\nVersion: 1.0\nLicense-Expression: CC-BY-4.0\n"
    )
    monkeypatch.syspath_prepend(str(site))
    return site / "tiny_corpus" / "all.csv"


def test_a_file_of_an_installed_package(tmp_path, package):
    sha256 = hashlib.sha256(package.read_bytes()).hexdigest()
    source = {"package": "tiny-corpus", "file": "tiny_corpus/all.csv", "sha256": sha256}
    found = prepared(tmp_path, {}, source=source, labels=["a"])
    assert found.report["licence"] == "CC-BY-4.0"
    assert {name: len(found.corpus.split(name)) for name in ("train", "validation", "test")} == {
        "train": 32,
        "validation": 4,
        "test": 4,
    }


def test_a_file_of_another_version(tmp_path, package):
    sha256 = hashlib.sha256(package.read_bytes()).hexdigest()
    source = {"package": "tiny-corpus", "file": "tiny_corpus/all.csv", "sha256": "0" * 64}
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, {}, source=source, labels=["a"])
    assert str(caught.value) == (
        f"{package}: sha256 is {sha256}, but the experiment expects {'0' * 64}; "
        "this is another version of the file"
    )


COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = {"hub": "lab/emotions", "revision": COMMIT}


def hub_answers(monkeypatch, answer):
    def load_dataset(name, config, *, revision):
        assert (name, config, revision) == ("lab/emotions", None, COMMIT)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def repo_info(api, name, *, repo_type, revision, timeout):
        assert (name, repo_type, revision) == ("lab/emotions", "dataset", COMMIT)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", repo_info)


def hub_split(texts, feature, cells):
    features = datasets.Features({"text": datasets.Value("string"), "labels": feature})
    return datasets.Dataset.from_dict({"text": texts, "labels": cells}, features=features)


def test_class_names_of_the_hub_stand_in_place_of_indexes(tmp_path, monkeypatch):
    feature = datasets.List(datasets.ClassLabel(names=["z", "a"]))
    splits = {
        "train": hub_split(["one", "two"], feature, [[0], [1, 0]]),
        "dev": hub_split(["three"], feature, [[1]]),
        "test": hub_split(["four"], feature, [[]]),
    }
    hub_answers(monkeypatch, datasets.DatasetDict(splits))
    found = prepared(tmp_path, {}, source=HUB, labels=["a", "z"], label_column="labels")
    assert found.corpus.train.labels.tolist() == [[0, 1], [1, 1]]
    assert found.corpus.validation.labels.tolist() == [[1, 0]]
    assert found.corpus.test.labels.tolist() == [[0, 0]]


def test_one_class_of_the_hub(tmp_path, monkeypatch):
    feature = datasets.ClassLabel(names=["z", "a"])
    splits = {
        name: hub_split([f"{name} 1", f"{name} 2"], feature, [0, 1])
        for name in ("train", "validation", "test")
    }
    hub_answers(monkeypatch, datasets.DatasetDict(splits))
    found = prepared(tmp_path, {}, source=HUB, label="labels")
    assert found.corpus.task.label_names == ("a", "z")
    assert found.corpus.train.labels.tolist() == [1, 0]


def test_a_hub_data_set_that_cannot_be_read(tmp_path, monkeypatch):
    hub_answers(monkeypatch, ValueError("Dataset scripts are no longer supported\nmore"))
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, {}, source=HUB, labels=["a"])
    assert str(caught.value) == (
        f"data.source.hub: 'lab/emotions' at {COMMIT} cannot be had: Dataset scripts are no longer supported; "
        f"offline? Run `hf download lab/emotions --type dataset --revision {COMMIT} --local-dir FOLDER` "
        "where there is a network, bring the folder here and name its files: source: {files: {train: ...}}"
    )


def test_a_hub_data_set_without_train(tmp_path, monkeypatch):
    feature = datasets.ClassLabel(names=["z", "a"])
    hub_answers(monkeypatch, datasets.DatasetDict({"everything": hub_split(["x"], feature, [0])}))
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, {}, source=HUB, label="labels")
    assert str(caught.value) == "data.source.hub: 'lab/emotions' has no train split (found: everything)"

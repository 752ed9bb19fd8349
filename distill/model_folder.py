"""A model on disk: what it is, its tokenizer, its weights. No pickle; unknown code is imported only when trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from distill.config.base import ModelConfig
from distill.config.errors import dotted, explain
from distill.config.schema import STUDENTS, TEACHERS
from distill.contracts import Task, TextClassifier, Tokenizer
from distill.errors import ModelError
from distill.registry import Registry

if TYPE_CHECKING:
    from torch import nn

FORMAT_VERSION = 1
DESCRIPTION, WEIGHTS, GRAPH = "model.json", "weights.safetensors", "model.onnx"

Model = TypeVar("Model", bound=BaseModel)
Role = Literal["teacher", "student"]
REGISTRIES: Mapping[Role, Registry[Any]] = {"teacher": TEACHERS, "student": STUDENTS}


class _ConfigEntry(BaseModel):
    """A config as a description holds it; `kind` says which class knows the other knobs."""

    model_config = ConfigDict(extra="allow")

    kind: str


class _Description(BaseModel):
    """What is in `model.json` beside its format version."""

    role: Role
    task: Task
    config: _ConfigEntry


@dataclass(frozen=True)
class ModelFolder:
    """A described model folder, its config resolved; weights are read on demand."""

    path: Path
    role: Role
    config: ModelConfig
    task: Task

    def tokenizer(self) -> Tokenizer:
        """Read the tokenizer alone, without torch."""
        return self.config.load_tokenizer(self.path)

    def classifier(self) -> TextClassifier:
        """Read tokenizer and network, weights filled in, in evaluation mode."""
        tokenizer = self.tokenizer()
        network = self.config.load_network(self.path, tokenizer, self.task)
        load_weights(network, self.path / WEIGHTS)
        return TextClassifier(tokenizer, network.eval())


def write_model(
    folder: Path, classifier: TextClassifier, config: ModelConfig, task: Task, role: Role
) -> None:
    """Write a model folder: description, tokenizer, weights."""
    config.save(classifier, folder)
    save_weights(classifier.network, folder / WEIGHTS)
    description = {
        "format_version": FORMAT_VERSION,
        "role": role,
        "task": {"kind": task.kind, "label_names": list(task.label_names)},
        "config": config.portable(),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")


def read_model(folder: Path, *, trust_custom_code: bool = False, beside: Path | None = None) -> ModelFolder:
    """Describe the model in `folder` without reading its weights.

    Args:
        folder: what `write_model` wrote, now or on another machine.
        trust_custom_code: allow a `kind` that is not distill's own to be imported.
        beside: a further folder to import a user's own module from.

    Raises:
        ModelError: not a model folder, of another format version, of untrusted code, or with a damaged description.
    """
    try:
        found = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        found_instead = f"it has no {DESCRIPTION}" if folder.is_dir() else "there is no such folder"
        raise ModelError(f"{folder}: not a model folder, {found_instead}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / DESCRIPTION}: cannot be read ({error})") from error
    version = found.get("format_version") if isinstance(found, dict) else None
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{folder}: format version {version}, but this release of distill reads version {FORMAT_VERSION}; "
            "use the release that wrote it, or make the model again"
        )
    description = _validated(_Description, found, folder)
    registry, kind = REGISTRIES[description.role], description.config.kind
    if not trust_custom_code and not registry.is_built_in(kind):
        raise ModelError(
            f"{folder}: the model is made by code that is not part of distill ('{kind}'); "
            "if you trust it, say --trust-custom-code (trust_custom_code=True)"
        )
    config = _validated(registry.resolve(kind, beside), found["config"], folder, "config")
    return ModelFolder(folder, description.role, config, description.task)


def _validated(model: type[Model], found: object, folder: Path, *place: str) -> Model:
    """Return a part of the description, read from its `place`.

    Raises:
        ModelError: names the file, the key, what was found and what would be right.
    """
    try:
        return model.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        key = dotted((*place, *first["loc"]))
        raise ModelError(f"{folder / DESCRIPTION}: {key}: {explain(first)}") from error


def save_weights(network: nn.Module, path: Path) -> None:
    """Write a network's parameters and buffers as safetensors, flushed to disk."""
    from safetensors.torch import save

    state = {
        name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()
    }
    # safetensors' own save_file maps a full disk to no OSError; plain writing does
    path.write_bytes(save(state))


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network from safetensors, every tensor by name and shape.

    Raises:
        ModelError: the file is missing or damaged, or does not fit the network.
    """
    from safetensors.torch import load_file

    try:
        network.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise ModelError(f"{path.parent}: no weights, {path.name} is missing") from None
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: the weights cannot be used ({reason})") from error

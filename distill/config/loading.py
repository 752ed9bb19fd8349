"""Reads an experiment file: YAML 1.2 with overrides, and all mistakes at once, each with its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from distill.config.errors import Location, dotted, explain, without_consequences
from distill.config.overrides import Override
from distill.config.schema import Experiment
from distill.config.sweep_check import mistakes_of_sweep
from distill.errors import ConfigError


@dataclass(frozen=True)
class LoadedExperiment:
    """An experiment and the folder that its relative paths start from."""

    experiment: Experiment
    file: Path

    @property
    def folder(self) -> Path:
        """The folder of the file."""
        return self.file.resolve().parent


def load_experiment(file: Path, overrides: Sequence[str] = ()) -> LoadedExperiment:
    """Read and check an experiment file.

    Args:
        file: the YAML file.
        overrides: `path.to.key=value`, each value read as YAML.

    Raises:
        ConfigError: one line for each mistake: `file:line: key.path: what is wrong, and what would be right`.
    """
    tree = _read(file)
    wanted = [_parse_override(text) for text in overrides]
    plain = _plain(tree, file)
    for override in wanted:
        try:
            override.apply(plain)
        except ConfigError as error:
            raise ConfigError(f"--set {override.text}: {error}") from None
    context = {"folder": file.resolve().parent}
    found: list[tuple[Location, str]]
    try:
        experiment = Experiment.model_validate(plain, context=context)
        found = [
            (("sweep", "parameters", path), message)
            for path, message in mistakes_of_sweep(experiment, plain, context)
        ]
    except ValidationError as error:
        found = [(each["loc"], explain(each)) for each in without_consequences(error.errors())]
    if found:
        lines = {_line(file, tree, wanted, place) + message: None for place, message in found}
        raise ConfigError("\n".join(sorted(lines, key=_by_line)))
    return LoadedExperiment(experiment, file)


def _read(file: Path) -> CommentedMap:
    yaml = YAML(typ="rt", pure=True)
    yaml.version = (1, 2)
    try:
        tree = yaml.load(file.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file") from None
    except (IsADirectoryError, PermissionError) as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file}: not UTF-8 (byte {error.start}: 0x{error.object[error.start]:02x})"
        ) from None
    except DuplicateKeyError as error:
        raise ConfigError(_duplicate(file, error)) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{file}:{line}: not YAML: {error.problem}") from None
    except YAMLError as error:
        raise ConfigError(f"{file}: not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(tree, CommentedMap):
        raise ConfigError(
            f"{file}:1: expected a map with the keys name, data, teacher, students, objectives and seeds"
        )
    return tree


def _duplicate(file: Path, error: DuplicateKeyError) -> str:
    problem = str(error.problem)
    key = problem.split('"')[1] if '"' in problem else problem
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    return f"{file}:{line}: {key}: the key is used twice in one map; each name may stand once"


def _plain(node: Any, file: Path) -> Any:
    """Return plain dicts, lists and scalars; tags would let a file run code, so there are none."""
    tag = getattr(node, "tag", None)
    if isinstance(node, TaggedScalar) or (tag is not None and getattr(tag, "value", None)):
        line = node.lc.line + 1 if hasattr(node, "lc") and node.lc.line is not None else 1
        raise ConfigError(f"{file}:{line}: YAML tags such as {getattr(tag, 'value', tag)} are not allowed")
    if isinstance(node, dict):
        return {key: _plain(value, file) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value, file) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def _parse_override(text: str) -> Override:
    path, equals, raw = text.partition("=")
    if not equals or not path:
        raise ConfigError(f"--set {text}: expected path.to.key=value")
    try:
        value = YAML(typ="safe", pure=True).load(raw)
    except YAMLError:
        raise ConfigError(f"--set {text}: the value is not YAML") from None
    return Override(tuple(path.split(".")), value, text)


def _line(file: Path, tree: CommentedMap, overrides: Sequence[Override], location: Location) -> str:
    """Return `file:line: key.path: `, or the override that the value came from."""
    path = dotted(location)
    for override in overrides:
        if location[: len(override.path)] == override.path:
            return f"--set {override.text}: {path}: "
    line, node = 1, tree
    for part in location:
        try:
            place = node.lc.item(part) if isinstance(node, CommentedSeq) else node.lc.key(part)
            line = place[0] + 1
            node = node[part]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
    return f"{file}:{line}: {path}: " if path else f"{file}:{line}: "


def _by_line(message: str) -> tuple[int, str]:
    parts = message.split(":")
    return (int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0, message)

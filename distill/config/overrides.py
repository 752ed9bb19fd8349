"""Values that replace those of an experiment file: by `--set`, or by a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from distill.config.schema import Experiment
from distill.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Override:
    """One value at a path."""

    path: tuple[str, ...]
    value: Any
    text: str = ""
    """What the user gave, for messages."""

    def apply(self, tree: Any) -> None:
        """Put the value into a tree of plain maps.

        Raises:
            ConfigError: the path leads nowhere; the message says only that.
        """
        node = tree
        for depth, part in enumerate(self.path[:-1]):
            if part not in node:
                self._check_may_be_new(node, depth)
                node[part] = {}
            node = node[part]
            if not isinstance(node, dict):
                raise ConfigError(f"{'.'.join(self.path[: depth + 1])} is not a map, but {node!r}")
        node[self.path[-1]] = self.value

    def _check_may_be_new(self, node: Any, depth: int) -> None:
        part, parent = self.path[depth], ".".join(self.path[:depth])
        if depth == 0 and part not in Experiment.model_fields:
            raise ConfigError(f"unknown key '{part}'{did_you_mean(part, Experiment.model_fields)}")
        if parent in {"students", "objectives"}:
            raise ConfigError(f"no '{part}' in {parent}{did_you_mean(part, node)}")

"""What a model weighs: parameters, and bytes on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.model_folder import GRAPH, WEIGHTS

if TYPE_CHECKING:
    from pathlib import Path

    from distill.model_folder import ModelFolder

NEITHER = frozenset({"training.json", "coverage.json"})
"""What the folder holds besides the model."""


def count_parameters(model: ModelFolder) -> int:
    """Return how many numbers training could change; shared ones count once."""
    return sum(parameter.numel() for parameter in model.classifier().network.parameters())


def bytes_on_disk(folder: Path) -> dict[str, int]:
    """Return the bytes of weights, graph and tokenizer, and of graph and tokenizer: what is deployed."""
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.name not in NEITHER}
    graph = sum(size for name, size in sizes.items() if name.startswith(GRAPH))
    weights = sizes.get(WEIGHTS, 0)
    tokenizer = sum(sizes.values()) - graph - weights
    return {"weights": weights, "graph": graph, "tokenizer": tokenizer, "deployed": graph + tokenizer}

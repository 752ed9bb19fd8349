"""What one stage leaves for the next as JSON: the files' names, and how they are written and read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

METRICS = "metrics.json"
"""Of an evaluation, and of a published folder."""
COVERAGE = "coverage.json"
"""Of the teacher and student stages: how well the tokenizer covers train and test."""
SPEED = "speed.json"
"""Of the speed stage."""

PER_LABEL_SUMMARY = "per_label/test_ap/"
"""In a run's summary before a label's name: its average precision on test."""

MANIFEST = "manifest.json"
"""The store's own, in each result: it holds when that was made, so it would make equal contents differ."""
PICKLES = frozenset({".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth"})
"""Endings of files that could run code when they are opened: none is published, and none is taken."""
TIMED = ("latency_p50_ms", "latency_p90_ms", "throughput")


def costs_of(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return what one model costs, from its entry in the speed stage's file: ONNX Runtime, graph and tokenizer."""
    timed = {name: figures["onnx"][name] for name in TIMED}
    sized = {"parameters": figures["parameters"], "bytes": figures["bytes"]["deployed"]}
    return {**timed, **sized, "peak_memory_bytes": figures["peak_memory_bytes"]}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file; a figure that is not finite is a mistake of ours, since what is undefined is null."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found

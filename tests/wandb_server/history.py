"""What a run has logged, as rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from wandb_server.filters import dig
from wandb_server.graphql import Node
from wandb_server.records import Run

Row = TypeVar("Row")


def rows_of(run: Run) -> list[dict[str, Any]]:
    """Return the rows of a run's history."""
    return [json.loads(line) for line in run.history if line]


def history_page(
    run: Run, min_step: int = 0, max_step: int | None = None, samples: int | None = None
) -> list[str]:
    """HistoryPage, RunFullHistory: rows as JSON, `max_step` not among them."""
    found = [
        json.dumps(row)
        for row in rows_of(run)
        if row.get("_step", 0) >= min_step and (max_step is None or row.get("_step", 0) < max_step)
    ]
    return thinned(found, samples)


def sampled_history(run: Run, specs: Sequence[str]) -> list[list[dict[str, Any]]]:
    """RunSampledHistory, SweepWithRuns: for each spec the rows that hold all of its keys."""
    return [_sampled(run, json.loads(spec) or {}) for spec in ([specs] if isinstance(specs, str) else specs)]


def history_keys(run: Run) -> dict[str, Any]:
    """Return how often each key was logged, and the last step. `scan_history` reads up to that step."""
    keys: dict[str, Any] = {}
    rows = rows_of(run)
    for row in rows:
        for key, value in _flat(row):
            entry = keys.setdefault(
                key, {"typeCounts": [{"type": _type_of(value), "count": 0}], "monotonic": False}
            )
            entry["typeCounts"][0]["count"] += 1
            entry["previousValue"] = value
    return {"sets": [], "keys": keys, "lastStep": max((row.get("_step", 0) for row in rows), default=-1)}


def parquet_history(run: Run, live_keys: Sequence[str]) -> Node:
    """RunParquetHistory: nothing was exported yet, everything is read page by page from the first step."""
    return Node("ParquetHistory", parquet_urls=[], live_data=rows_of(run)[:1])


def thinned(rows: list[Row], samples: int | None) -> list[Row]:
    """Return at most that many rows, evenly spread."""
    if not samples or len(rows) <= samples:
        return rows
    return [rows[number * len(rows) // samples] for number in range(samples)]


def _sampled(run: Run, spec: Mapping[str, Any]) -> list[Any]:
    first, last = spec.get("minStep", 0), spec.get("maxStep", float("inf"))
    found = []
    for row in rows_of(run):
        values = {key: dig(row, key) for key in spec.get("keys") or row}
        if first <= row.get("_step", 0) <= last and None not in values.values():
            found.append(values)
    return thinned(found, spec.get("samples"))


def _flat(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, Mapping) and "_type" not in value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def _type_of(value: Any) -> str:
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "other"

"""Turns label cells into numbers: 0, 1 or unknown for each label, or the index of one class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from distill.config.data import DataConfig
from distill.contracts import Task
from distill.errors import DataError, did_you_mean
from distill.stages.data.tables import Table

Labels: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.int64]

UNKNOWN_CLASS = -1

BINARY: Mapping[object, float] = {
    **dict.fromkeys((0, "0", "0.0", "false", "False", "FALSE"), 0.0),
    **dict.fromkeys((1, "1", "1.0", "true", "True", "TRUE"), 1.0),
}
"""What cells may say for 0 and 1; as keys, False and 0.0 equal 0, and True and 1.0 equal 1."""


def find_task(config: DataConfig, train: Table) -> Task:
    """Return the task; classes that the configuration does not name are those of train, sorted.

    Raises:
        DataError: train has fewer than two classes.
    """
    if config.label_names is not None:
        return Task(config.task_kind, config.label_names)
    unknown = _unknown_cells(config)
    cells = train.column(str(config.label), "data.label")
    names = {_text(cell) for cell in cells if not _is_one_of(unknown, cell)} - {"", *config.ignore_values}
    if len(names) < 2:
        found = ", ".join(sorted(names)) or "none"
        raise DataError(f"{train.name}: column '{config.label}' needs two classes or more (found: {found})")
    return Task("single_label", tuple(sorted(names, key=_numbers_by_size)))


def read_labels(table: Table, config: DataConfig, task: Task) -> Labels:
    """Return float32 [N, C] with NaN for unknown (multi-label), or int64 [N] with -1 (single-label).

    Raises:
        DataError: a column is missing, or a cell says something else than it may.
    """
    if config.class_column is None:
        return _read_columns(table, config, task)
    reader = _ClassReader(table, config, task)
    return reader.classes() if task.kind == "single_label" else reader.sets()


def no_labels(rows: int, task: Task) -> Labels:
    """Return labels of which nothing is known, for a transfer set."""
    if task.kind == "single_label":
        return np.full(rows, UNKNOWN_CLASS, dtype=np.int64)
    return np.full((rows, task.num_labels), np.nan, dtype=np.float32)


def _read_columns(table: Table, config: DataConfig, task: Task) -> npt.NDArray[np.float32]:
    meaning = {**BINARY, **dict.fromkeys(_unknown_cells(config), math.nan)}
    columns = [_read_column(table, name, meaning, config) for name in task.label_names]
    return np.array(columns, dtype=np.float32).T.copy()


def _read_column(table: Table, name: str, meaning: Mapping[object, float], config: DataConfig) -> list[float]:
    values = []
    for row, cell in enumerate(table.column(name, "data.labels")):
        try:
            values.append(meaning[cell])
        except (KeyError, TypeError):  # TypeError: a list is no key
            allowed = (
                "neither 0 nor 1"
                if config.unknown_value is None
                else (f"neither 0, 1 nor the unknown_value {config.unknown_value!r}")
            )
            raise DataError(f"{table.place(row)}: column '{name}': {_shown(cell)} is {allowed}") from None
    return values


class _ClassReader:
    """Reads a column that names labels or classes."""

    def __init__(self, table: Table, config: DataConfig, task: Task) -> None:
        self.table, self.config, self.task = table, config, task
        key = "data.label" if task.kind == "single_label" else "data.label_column"
        self.cells = table.column(str(config.class_column), key)
        self.unknown = _unknown_cells(config)
        self.index = {name: i for i, name in enumerate(task.label_names)}
        # indexes are understood only where names were declared, and cannot be taken for them
        self.has_indexes = config.label_names is not None and not any(n.isdecimal() for n in task.label_names)

    def classes(self) -> npt.NDArray[np.int64]:
        """Return the class of each row, int64 [N]."""
        cells = enumerate(self.cells)
        found = (None if _is_one_of(self.unknown, cell) else self._find(cell, row) for row, cell in cells)
        return np.array([UNKNOWN_CLASS if i is None else i for i in found], dtype=np.int64)

    def sets(self) -> npt.NDArray[np.float32]:
        """Return which labels each row names, float32 [N, C]."""
        labels = np.zeros((len(self.cells), self.task.num_labels), dtype=np.float32)
        for row, cell in enumerate(self.cells):
            if _is_one_of(self.unknown, cell):
                labels[row] = np.nan
                continue
            for name in self._parts(cell):
                index = self._find(name, row)
                if index is not None:
                    labels[row, index] = 1
        return labels

    def _parts(self, cell: object) -> Sequence[object]:
        if isinstance(cell, list):
            return cell
        if self.config.delimiter is None:
            return [cell]
        parts = "" if cell is None else str(cell)
        return [part.strip() for part in parts.split(self.config.delimiter) if part.strip()]

    def _find(self, cell: object, row: int) -> int | None:
        """Return the index of a name; None for one that means no label."""
        name = _text(cell)
        if name in self.config.ignore_values:
            return None
        if name in self.index:
            return self.index[name]
        if self.has_indexes and name.isdecimal() and int(name) < self.task.num_labels:
            return int(name)
        names = self.task.label_names
        where = "among the classes of train" if self.config.label_names is None else "declared"
        raise DataError(
            f"{self.table.place(row)}: column '{self.config.class_column}': {_shown(cell)} is not {where}"
            f"{did_you_mean(name, names)} (known: {', '.join((*names, *self.config.ignore_values))})"
        )


def _unknown_cells(config: DataConfig) -> set[object]:
    """Return everything that a cell may hold for the declared unknown value."""
    value = config.unknown_value
    if value is None:
        return set()
    if value == "":
        return {"", None}
    return {value} if isinstance(value, str) else {value, f"{value:g}", str(float(value))}


def _text(cell: object) -> str:
    """Return a class cell as text; 3.0, as pandas writes a column of whole numbers with gaps, is 3."""
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _is_one_of(cells: set[object], cell: object) -> bool:
    return (
        isinstance(cell, str | int | float | None) and cell in cells
    )  # a list is never one, and has no hash


def _numbers_by_size(name: str) -> tuple[int, str]:
    return (int(name) if name.isdecimal() else 0, name)


def _shown(cell: Any) -> str:
    return "an empty cell" if cell is None or cell == "" else repr(cell)

"""Keeps splits apart: equal texts of train become one, and train holds nothing that is tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from distill.config.data import DataConfig
from distill.stages.data.cleaning import fold_whitespace
from distill.stages.data.labels import UNKNOWN_CLASS
from distill.stages.data.rows import Rows

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Merged:
    """What merging did."""

    rows_merged_away: int = 0
    """Rows of train that became one with an earlier row."""
    conflicting_texts: int = 0
    """Texts whose rows disagreed on a label."""
    dropped_by_conflict: int = 0
    """Of these, texts that were left out (`conflicts: drop`)."""


@dataclass(frozen=True)
class Overlap:
    """What stood in more than one split; nothing is ever removed from validation and test."""

    merged: Merged
    removed_from_train: int
    """Texts of train that are like one of validation or test."""
    removed_from_transfer: int
    """Texts of the transfer set that are like one of any other split, or repeated."""
    validation_in_test: int
    """Texts of validation that are like one of test. They are counted only."""


def keep_apart(splits: Mapping[str, Rows], config: DataConfig) -> tuple[dict[str, Rows], Overlap]:
    """Merge the duplicates of train; take from train and transfer set what stands in validation or test."""
    validation, test = splits["validation"], splits["test"]
    held_out = (*validation.texts, *test.texts)
    merged_train, merged = merge_duplicates(splits["train"], config)
    train = without(merged_train, held_out)
    transfer, _ = merge_duplicates(without(splits["transfer"], (*held_out, *train.texts)), config)
    counts = Overlap(
        merged=merged,
        removed_from_train=len(merged_train) - len(train),
        removed_from_transfer=len(splits["transfer"]) - len(transfer),
        validation_in_test=common(validation.texts, test.texts),
    )
    return {"train": train, "validation": validation, "test": test, "transfer": transfer}, counts


def likeness(text: str) -> str:
    """Return what two texts share that count as the same one across splits: case and spacing aside."""
    return fold_whitespace(text.casefold())


def without(rows: Rows, texts: Iterable[str]) -> Rows:
    """Return the rows whose text is not like any of these."""
    held_out = {likeness(text) for text in texts}
    return rows.take(np.array([likeness(text) not in held_out for text in rows.texts], dtype=np.bool_))


def repeated(texts: Iterable[str]) -> int:
    """Return how many texts are like an earlier one."""
    counts = Counter(likeness(text) for text in texts)
    return counts.total() - len(counts)


def common(texts: Iterable[str], others: Iterable[str]) -> int:
    """Return how many of the texts are like one of the others."""
    known = {likeness(text) for text in others}
    return sum(likeness(text) in known for text in texts)


def merge_duplicates(rows: Rows, config: DataConfig) -> tuple[Rows, Merged]:
    """Make one row of equal texts, its labels by `config.conflicts`. The first row's place is kept."""
    if config.duplicates == "keep":
        return rows, Merged()
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(rows.texts):
        groups.setdefault(text, []).append(row)
    labels, kept, conflicts = rows.labels.copy(), [], 0
    for members in groups.values():
        conflict = len(members) > 1 and _disagree(labels[members])
        conflicts += conflict
        if conflict and config.conflicts == "drop":
            continue
        if len(members) > 1:
            labels[members[0]] = _agreed(labels[members], config.conflicts if conflict else "union")
        kept.append(members[0])
    merged = Merged(len(rows) - len(groups), conflicts, len(groups) - len(kept))
    return Rows(rows.texts, labels).take(np.array(kept, dtype=np.int64)), merged


def _disagree(labels: Array) -> bool:
    """Whether known labels of equal texts [N, C] or [N] contradict each other."""
    if labels.ndim == 2:
        return bool(((labels == 0).any(axis=0) & (labels == 1).any(axis=0)).any())
    return len(set(labels[labels != UNKNOWN_CLASS].tolist())) > 1


def _agreed(labels: Array, policy: str) -> Any:
    """Return the labels [C], or the class, that equal texts get together."""
    if labels.ndim == 1:
        known = labels[labels != UNKNOWN_CLASS].tolist() or [UNKNOWN_CLASS]
        return Counter(known).most_common(1)[0][0] if policy == "majority" else known[0]
    if policy == "keep_first":
        return labels[0]
    if policy == "union":
        return np.fmax.reduce(labels, axis=0)
    ones, zeros = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    return np.where(ones > zeros, 1, np.where(zeros > ones, 0, labels[0]))

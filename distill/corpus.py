"""Texts with their labels, split, as every stage reads them; and logits keyed by example id."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from distill.contracts import Task
from distill.errors import DataError

SPLITS = ("train", "validation", "test", "transfer")


@dataclass(frozen=True)
class Split:
    """Some texts with their labels.

    `labels` is float32 [N, C] with 0, 1 or NaN for unknown (multi-label), or int64 [N] with -1 for unknown
    (single-label). Ids come from content, so that a cache outlives a shuffle.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    labels: npt.NDArray[np.float32] | npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int]) -> Split:
        """Return these rows, in this order."""
        return Split(
            tuple(self.ids[i] for i in rows), tuple(self.texts[i] for i in rows), self.labels[list(rows)]
        )


@dataclass(frozen=True)
class Corpus:
    """The data stage's result. `transfer` holds unlabelled texts that only the teacher labels; it may be empty."""

    task: Task
    train: Split
    validation: Split
    test: Split
    transfer: Split

    def split(self, name: str) -> Split:
        """Return a split by name."""
        found: Split = getattr(self, name)
        return found

    def label_counts(self) -> dict[str, tuple[int, int]]:
        """Return label -> (positives, known rows) in train."""
        labels = self.train.labels
        if self.task.kind == "multi_label":
            known = (~np.isnan(labels)).sum(axis=0)
            positive = np.nansum(labels, axis=0)
        else:
            known = np.full(self.task.num_labels, int((labels >= 0).sum()))
            positive = np.bincount(labels[labels >= 0].astype(np.int64), minlength=self.task.num_labels)
        return {name: (int(positive[i]), int(known[i])) for i, name in enumerate(self.task.label_names)}

    def save(self, folder: Path) -> None:
        """Write `task.json` and a parquet file for each split."""
        task = {"kind": self.task.kind, "label_names": list(self.task.label_names)}
        (folder / "task.json").write_text(json.dumps(task, ensure_ascii=False, indent=1), encoding="utf-8")
        for name in SPLITS:
            split = self.split(name)
            frame = pd.DataFrame({"id": list(split.ids), "text": list(split.texts)}, dtype="str")
            if self.task.kind == "multi_label":
                for i, label in enumerate(self.task.label_names):
                    frame[f"label:{label}"] = split.labels[:, i]
            else:
                frame["label"] = split.labels
            frame.to_parquet(folder / f"{name}.parquet", index=False)

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Read what `save` wrote."""
        task = load_task(folder)
        splits = {}
        for name in SPLITS:
            frame = pd.read_parquet(folder / f"{name}.parquet")
            if task.kind == "multi_label":
                columns = [f"label:{label}" for label in task.label_names]
                labels: npt.NDArray[np.float32] | npt.NDArray[np.int64] = np.array(
                    frame[columns], dtype=np.float32
                )
            else:
                labels = np.array(frame["label"], dtype=np.int64)
            splits[name] = Split(tuple(frame["id"]), tuple(frame["text"]), labels)
        return cls(task, **splits)


def load_task(folder: Path) -> Task:
    """Read the task of a saved corpus."""
    found = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    return Task(found["kind"], tuple(found["label_names"]))


@dataclass(frozen=True)
class LogitTable:
    """Logits by example id: soft targets of a teacher, or the answers of any model.

    `values` is float32 [N, C], a row for each id.
    """

    ids: tuple[str, ...]
    values: npt.NDArray[np.float32]

    def rows(self, ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the logits of these examples, in this order.

        Raises:
            DataError: an id is not in the table.
        """
        place = {name: i for i, name in enumerate(self.ids)}
        try:
            return self.values[[place[name] for name in ids]]
        except KeyError as error:
            raise DataError(f"no logits for example {error}: they were made from other texts") from None

    def save(self, path: Path, label_names: Sequence[str]) -> None:
        """Write a parquet file: `id`, then a column for each label."""
        columns = {f"logit:{name}": self.values[:, i] for i, name in enumerate(label_names)}
        pd.DataFrame({"id": list(self.ids), **columns}).to_parquet(path, index=False)

    @classmethod
    def load(cls, path: Path) -> LogitTable:
        """Read what `save` wrote."""
        frame = pd.read_parquet(path)
        return cls(tuple(frame["id"]), np.array(frame.drop(columns="id"), dtype=np.float32))

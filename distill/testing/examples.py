"""What the checks feed to a class under test: texts, labels, a context, and a memo that forgets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from distill.contracts import BuildContext, Task
from distill.corpus import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

SEED = 20

TEXTS = (
    "I really like this film, and I would see this film again.",
    "I do not like this film at all; I would not see it again.",
    "What a good day!",
    "good",
    "This is the worst day of the year, and it is not over yet.",
    "Again and again: the same film, the same day, the same end.",
    "I like it, I like it not, I like it, I like it not.",
    "see you again",
    "🙂",
    "?",
    "Nobody would like what I have to say of the end of this year.",
    "Really, what would you say?",
)
"""Texts of very different lengths, most words more than once, one without any letter."""

LABEL_NAMES = ("first", "second", "third")


@dataclass
class FolderMemo:
    """Keeps side results in a folder for as long as the check runs."""

    folder: Path
    known: dict[str, Path] = field(default_factory=dict)

    def __call__(self, name: str, settings: Mapping[str, Any], produce: Callable[[Path], None]) -> Path:
        """Return a folder that `produce` has filled, once for equal names and settings."""
        key = json.dumps([name, settings], sort_keys=True)
        if key not in self.known:
            place = self.folder / f"memo-{len(self.known)}"
            place.mkdir()
            produce(place)
            self.known[key] = place
        return self.known[key]


def context_for(
    task: Task, texts: Sequence[str], folder: Path, base_folder: Path, teacher_folder: Path | None = None
) -> BuildContext:
    """Return what a component is built from; `folder` is for side results."""
    return BuildContext(task, tuple(texts), SEED, base_folder, FolderMemo(folder), teacher_folder)


def labelled(task: Task, texts: Sequence[str]) -> Split:
    """Return the texts with labels of every kind, the first text's unknown."""
    rows = np.arange(len(texts))
    if task.kind == "multi_label":
        labels: Any = np.stack([rows // (i + 1) % 2 for i in range(task.num_labels)], 1).astype(np.float32)
        labels[0] = np.nan
    else:
        labels = (rows % task.num_labels).astype(np.int64)
        labels[0] = -1
    return Split(tuple(str(i) for i in rows), tuple(texts), labels)

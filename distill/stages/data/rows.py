"""Texts with labels while they are worked on; ids come last, when nothing changes any more."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from distill.contracts import Task
from distill.corpus import SPLITS, Corpus, Split
from distill.stages.data.labels import Labels, no_labels


@dataclass(frozen=True)
class Rows:
    """N texts and their labels, as `distill.corpus.Split` has them, but without ids."""

    texts: tuple[str, ...]
    labels: Labels

    def __len__(self) -> int:
        """Return N."""
        return len(self.texts)

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Rows:
        """Return these rows: numbers in this order, or a mask."""
        numbers = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Rows(tuple(self.texts[i] for i in numbers), self.labels[numbers])

    def without_labels(self, task: Task) -> Rows:
        """Return the texts with every label forgotten."""
        return Rows(self.texts, no_labels(len(self), task))


def make_corpus(splits: dict[str, Rows], task: Task) -> Corpus:
    """Give every text its id: 16 digits of its sha256, and "-2", "-3" where it stands again in any split."""
    seen: Counter[str] = Counter()
    done = {
        name: Split(tuple(_ids(splits[name].texts, seen)), splits[name].texts, splits[name].labels)
        for name in SPLITS
    }
    return Corpus(task, **done)


def _ids(texts: Iterable[str], seen: Counter[str]) -> Iterable[str]:
    for text in texts:
        digits = hashlib.sha256(text.encode()).hexdigest()[:16]
        seen[digits] += 1
        yield digits if seen[digits] == 1 else f"{digits}-{seen[digits]}"

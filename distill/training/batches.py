"""Which texts make the batch of each step: a pure function of seed and step, so that any moment can be resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from distill.contracts import Encoding, Targets
from distill.inference import length_sorted_batches
from distill.tokenizer import collate

WINDOW = 50
"""Batches that are sorted by length together: enough to save padding, few enough to stay shuffled."""


@dataclass(frozen=True)
class TrainingSet:
    """Texts with what there is to learn of them.

    `labels` is as in `Split`; `teacher_logits` is float32 [N, C], or None where the objective asks for none.
    """

    texts: Sequence[str]
    labels: npt.NDArray[Any]
    teacher_logits: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class MicroBatch:
    """Tensors for one forward pass: inputs by name, and their targets."""

    inputs: Mapping[str, Tensor]
    targets: Targets

    def to(self, device: torch.device) -> MicroBatch:
        """Return the same on a device."""
        logits = self.targets.teacher_logits
        targets = Targets(self.targets.labels.to(device), None if logits is None else logits.to(device))
        return MicroBatch({name: tensor.to(device) for name, tensor in self.inputs.items()}, targets)


class BatchOrder:
    """Rows of each step. Every epoch reads every row once; its last batch may be smaller."""

    def __init__(self, lengths: Sequence[int], batch_size: int, *, seed: int, bucket_by_length: bool) -> None:
        self._lengths = np.asarray(lengths)
        self._batch_size, self._seed, self._bucket = batch_size, seed, bucket_by_length
        self.batches_per_epoch = -(-len(self._lengths) // batch_size)
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    def rows(self, step: int) -> npt.NDArray[np.int64]:
        """Return the row numbers of an optimiser step, counted from 0."""
        epoch, place = divmod(step, self.batches_per_epoch)
        return self._epoch(epoch)[place]

    def _make_epoch(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        rng = np.random.default_rng([self._seed, epoch])
        order = rng.permutation(len(self._lengths))
        if not self._bucket:
            return self._cut(order)
        window = WINDOW * self._batch_size
        chunks = [order[start : start + window] for start in range(0, len(order), window)]
        batches = self._cut(np.concatenate([c[np.argsort(self._lengths[c], kind="stable")] for c in chunks]))
        return [batches[i] for i in rng.permutation(len(batches))]

    def _cut(self, order: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        return [order[start : start + self._batch_size] for start in range(0, len(order), self._batch_size)]


class TrainingBatches:
    """The loader: for each step a list of micro batches. Lightning keeps its position in checkpoints."""

    def __init__(
        self,
        order: BatchOrder,
        encodings: Sequence[Encoding],
        training_set: TrainingSet,
        pad_values: Mapping[str, float],
        *,
        steps: int,
        micro_batch_size: int | None,
    ) -> None:
        self._order, self._encodings, self._set, self._pad_values = order, encodings, training_set, pad_values
        self._steps, self._micro_batch_size = steps, micro_batch_size
        self._position = 0

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[MicroBatch]]:
        while self._position < self._steps:
            rows = self._order.rows(self._position)
            self._position += 1
            size = self._micro_batch_size or len(rows)
            yield [self._micro_batch(rows[start : start + size]) for start in range(0, len(rows), size)]

    def _micro_batch(self, rows: npt.NDArray[np.int64]) -> MicroBatch:
        batch = collate([self._encodings[i] for i in rows], self._pad_values)
        logits = self._set.teacher_logits
        targets = Targets(
            torch.from_numpy(self._set.labels[rows]),
            None if logits is None else torch.from_numpy(logits[rows]),
        )
        return MicroBatch({name: torch.from_numpy(array) for name, array in batch.items()}, targets)

    def state_dict(self) -> dict[str, int]:
        """Return the position, in steps."""
        return {"position": self._position}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from a position."""
        self._position = state["position"]


class ValidationBatches:
    """All validation texts, sorted by length, as (rows, inputs)."""

    def __init__(
        self, encodings: Sequence[Encoding], pad_values: Mapping[str, float], batch_size: int
    ) -> None:
        self._batches = [
            (rows, collate([encodings[i] for i in rows], pad_values))
            for rows in length_sorted_batches(encodings, batch_size)
        ]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
        for rows, batch in self._batches:
            yield rows, {name: torch.from_numpy(array) for name, array in batch.items()}

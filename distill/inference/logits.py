"""Logits of a network in eager PyTorch: for some texts, and for whole splits. Torch is imported on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from distill.contracts import Encoding, Task, TextClassifier
from distill.errors import ModelError
from distill.tokenizer import collate

if TYPE_CHECKING:
    from distill.contracts import FloatArray
    from distill.corpus import Corpus, LogitTable


def length_sorted_batches(encodings: Sequence[Encoding], batch_size: int) -> Iterator[list[int]]:
    """Yield row numbers, texts of like length together, the longest first so that memory peaks at once."""
    order = sorted(range(len(encodings)), key=lambda i: -len(next(iter(encodings[i].values()))))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def check_logits(logits: object, rows: int, task: Task) -> None:
    """Check what `forward` returned: another shape might broadcast, and something would be learnt all the same.

    Raises:
        ModelError: it is no tensor of shape [rows, labels].
    """
    found, wanted = getattr(logits, "shape", None), (rows, task.num_labels)
    if found is None or tuple(found) != wanted:
        shown = type(logits).__name__ if found is None else tuple(found)
        raise ModelError(
            f"forward() gave {shown} for {task.kind}, not {wanted}; "
            "return logits [texts, labels], for one text too (no bare squeeze())"
        )


def predict_logits(
    classifier: TextClassifier,
    texts: Sequence[str],
    *,
    batch_size: int = 64,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """Return logits of shape [texts, labels] from eager PyTorch in float32, dropout off.

    Args:
        classifier: tokenizer and network; the network's training mode is left as it was.
        texts: raw texts.
        batch_size: texts at once; changes nothing but speed and memory.
        device: where the network is.
        progress: is told (texts done, texts in all).
    """
    import torch

    encodings = classifier.tokenizer.encode(texts)
    network, done = classifier.network, 0
    answers: dict[int, Any] = {}
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        for rows in length_sorted_batches(encodings, batch_size):
            batch = collate([encodings[i] for i in rows], classifier.tokenizer.pad_values)
            logits = network(**{name: torch.from_numpy(array).to(device) for name, array in batch.items()})
            answers.update(zip(rows, logits.float().cpu().numpy(), strict=True))
            done += len(rows)
            if progress:
                progress(done, len(texts))
    network.train(was_training)
    return np.stack([answers[i] for i in range(len(texts))]).astype(np.float32)


def predict_splits(
    classifier: TextClassifier,
    corpus: Corpus,
    splits: Sequence[str],
    *,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, LogitTable]:
    """Return the logits of some splits by example id; a split without texts is left out."""
    from distill.corpus import LogitTable

    filled = {name: corpus.split(name) for name in splits if len(corpus.split(name))}
    total, before = sum(map(len, filled.values())), 0
    tables: dict[str, LogitTable] = {}
    classifier.network.to(device)

    def tell(done: int, _: int) -> None:
        if progress:
            progress(before + done, total)

    for name, split in filled.items():
        tables[name] = LogitTable(
            split.ids, predict_logits(classifier, split.texts, device=device, progress=tell)
        )
        before += len(split)
    return tables

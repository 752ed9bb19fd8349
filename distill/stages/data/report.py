"""Counts all that happened to the texts on their way, and refuses a train split that cannot teach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from distill.config.data import DataConfig
from distill.corpus import SPLITS, Corpus, Split
from distill.errors import DataError
from distill.result_files import write_json
from distill.stages.data.overlap import Overlap, repeated
from distill.stages.data.rows import Rows

REPORT = "report.json"


def check_corpus(corpus: Corpus, config: DataConfig) -> None:
    """Check that train has an example of every label, and that there is something to select and test on.

    Raises:
        DataError: a label has no positive, so that nothing could be learnt about it, or a split is empty.
    """
    for split in ("validation", "test"):
        if len(corpus.split(split)) == 0:
            raise DataError(f"the {split} split holds no text; leave it out, and it is cut from train")
    for name, (positives, _) in corpus.label_counts().items():
        if positives == 0:
            more = " or raise data.limits.train" if config.limits.train else ""
            key = "data.labels" if corpus.task.kind == "multi_label" else "data.classes"
            raise DataError(
                f"label '{name}' has no positive in train ({len(corpus.train)} texts): nothing can learn it; "
                f"leave it out of {key}, bring texts that have it{more}"
            )


def write_report(
    folder: Path,
    corpus: Corpus,
    *,
    licence: str | None,
    read: Mapping[str, Rows],
    filled: Mapping[str, Rows],
    cut: Mapping[str, Rows],
    overlap: Overlap,
    config: DataConfig,
) -> None:
    """Write `report.json`.

    Args:
        folder: where to write it.
        corpus: the texts as they came out.
        licence: the licence of the texts, where it is known.
        read: the splits as they were read and cleaned; a split that is not in it was not given.
        filled: the same without empty texts.
        cut: all splits, when the missing ones were cut.
        overlap: what stood in more than one split.
        config: what was asked for.
    """
    splits = {}
    for name in SPLITS:
        given = len(read[name]) if name in read else None
        splits[name] = {
            "origin": _origin(name, read, corpus),
            "official": name == "test" and given is not None and config.limits.test is None,
            "rows_read": given,
            "empty_texts_dropped": None if given is None else given - len(filled[name]),
            "rows_after_cut": len(cut[name]),
            "texts": len(corpus.split(name)),
            **_described(corpus, name),
        }
    content = {
        "licence": licence,
        "task": corpus.task.kind,
        "splits": splits,
        "duplicates": config.duplicates,
        "conflicts": config.conflicts,
        "overlap": asdict(overlap),
    }
    write_json(folder / REPORT, content)


def _origin(name: str, read: Mapping[str, Rows], corpus: Corpus) -> str:
    if name in read:
        return "given"
    if len(corpus.split(name)) == 0:
        return "none"
    return "left over from train" if name == "transfer" else "cut from train"


def _described(corpus: Corpus, name: str) -> dict[str, Any]:
    """Return label counts, unknown labels, repeated texts and lengths in words of one split."""
    split = corpus.split(name)
    # the corpus counts the labels of its train split; so let each split be train for once
    counts = replace(corpus, train=split).label_counts()
    words = [len(text.split()) for text in split.texts] or [0]
    return {
        "labels": {
            label: {"positive": positive, "known": known} for label, (positive, known) in counts.items()
        },
        "unknown_labels": _unknown(split),
        "repeated_texts": repeated(split.texts),
        "words_mean": round(float(np.mean(words)), 2),
        "words_p95": float(np.percentile(words, 95)),
    }


def _unknown(split: Split) -> int:
    """Return how many labels are not known: cells of a multi-label split, texts of a single-label one."""
    return int(np.isnan(split.labels).sum() if split.labels.ndim == 2 else (split.labels < 0).sum())

"""The teacher's logits for every text of every split: computed once, keyed by example id."""

from __future__ import annotations

from pathlib import Path

import torch

from distill.contracts import Workbench
from distill.corpus import SPLITS, Corpus
from distill.hardware import Hardware
from distill.inference import predict_splits
from distill.model_folder import read_model


def compute_soft_targets(
    teacher: Path, corpus: Corpus, *, hardware: Hardware, trusted: Path, bench: Workbench
) -> None:
    """Write a logit table for each split, in float32 so that a text's logits do not depend on its batch mates.

    Args:
        teacher: the trained teacher's model folder.
        corpus: the texts.
        hardware: device and threads.
        trusted: the folder of the experiment file, whose own classes may be imported.
        bench: receives `train.parquet`, `validation.parquet`, `test.parquet`, `transfer.parquet`.
    """
    torch.set_num_threads(hardware.threads)
    classifier = read_model(teacher, trust_custom_code=True, beside=trusted).classifier()
    tables = predict_splits(
        classifier,
        corpus,
        SPLITS,
        device=hardware.device,
        progress=lambda done, total: bench.progress.advance(done, total, "texts"),
    )
    for name, table in tables.items():
        table.save(bench.result / f"{name}.parquet", corpus.task.label_names)

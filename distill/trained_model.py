"""What teacher and student stages leave behind: the model folder, its graph, and how it came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.config.base import ModelConfig
from distill.contracts import TextClassifier, Tokenizer
from distill.corpus import Corpus
from distill.export import export_onnx
from distill.model_folder import GRAPH, Role, write_model
from distill.result_files import COVERAGE, write_json

TRAINING = "training.json"


def write_trained_model(
    folder: Path,
    classifier: TextClassifier,
    config: ModelConfig,
    corpus: Corpus,
    role: Role,
    how: Mapping[str, Any],
) -> None:
    """Write a model folder with its graph, `training.json` (how it was trained) and `coverage.json`.

    The latter holds truncation and out-of-vocabulary rates on train and test, and what the tokenizer notes.
    """
    write_model(folder, classifier, config, corpus.task, role)
    export_onnx(classifier, folder / GRAPH)
    coverage = {name: _coverage(classifier.tokenizer, corpus.split(name).texts) for name in ("train", "test")}
    for name, content in ((TRAINING, how), (COVERAGE, coverage)):
        write_json(folder / name, content)


def _coverage(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, float | str]:
    found = tokenizer.statistics(texts)
    counts = {name: value for name, value in asdict(found).items() if value != ""}
    rates = {"out_of_vocabulary_rate": found.out_of_vocabulary_rate, "truncation_rate": found.truncation_rate}
    return {**counts, **rates}

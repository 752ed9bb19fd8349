"""Checks of what a classifier leaves on disk: saved and loaded, or exported, it answers as before.

Each raises the AssertionError of `distill.testing.failures`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from distill.errors import DistillError, told
from distill.export import export_onnx
from distill.model_folder import WEIGHTS, load_weights, save_weights
from distill.testing.failures import fail, name_of
from distill.testing.networks import answers, difference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from distill.config.base import ModelConfig
    from distill.contracts import Task, TextClassifier


def check_saved(
    config: ModelConfig, classifier: TextClassifier, task: Task, texts: Sequence[str], folder: Path
) -> None:
    """Check that config, tokenizer and weights, read back, give the very same logits."""
    remedy = "override save() together with load_tokenizer() and load_network()"
    try:
        written = json.dumps(config.portable())
        config.save(classifier, folder)
        save_weights(classifier.network, folder / WEIGHTS)
        read = type(config).model_validate(json.loads(written))
        tokenizer = read.load_tokenizer(folder)
        network = read.load_network(folder, tokenizer, task)
        load_weights(network, folder / WEIGHTS)
    except Exception as error:
        message = f"{name_of(config)}: it cannot be saved and loaded again: {told(error)}; {remedy}"
        raise AssertionError(message) from error
    again = answers(config, type(classifier)(tokenizer, network), texts)
    change = difference(answers(config, classifier, texts), again)
    if change > 0:
        hint = "all that forward() uses must be in config, tokenizer, parameters or buffers"
        fail(config, f"its logits differ by {change:.1e} after saving and loading", hint)


def check_export(config: ModelConfig, classifier: TextClassifier, texts: Sequence[str], folder: Path) -> None:
    """Check that the network becomes a graph that gives the same logits."""
    try:
        export_onnx(classifier, folder / "model.onnx", texts)
    except DistillError as error:
        remedy = (
            "write forward() in tensor operations, without Python numbers or branches taken from its inputs"
        )
        raise AssertionError(f"{name_of(config)}: {error}; {remedy}") from error

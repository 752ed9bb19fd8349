"""Export a classifier to an ONNX graph with dynamic batch and length, and prove that both answer alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from distill.errors import ModelError
from distill.export.tracing import OPSET, PROBES, architecture_of, forget_trace, graph_of, is_traced
from distill.inference import OnnxModel, predict_logits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from distill.contracts import TextClassifier

__all__ = ["OPSET", "TOLERANCE", "export_onnx"]

TOLERANCE = 1e-4
"""The largest difference between graph and network, as a share of the largest logit, or of 1."""

SINGLE_FILE_LIMIT = 1_900_000_000
"""Bytes of weights that fit into one protobuf file (2 GB) beside the graph itself."""


def export_onnx(classifier: TextClassifier, path: Path, texts: Sequence[str] | None = None) -> None:
    """Write the network as an ONNX graph: the tokenizer's inputs, and one output `logits` [batch, labels].

    Batch, length and pieces are dynamic. The graph holds its weights, and nothing of this machine's paths.

    Args:
        classifier: tokenizer and network; the network's training mode is left as it was.
        path: the file to write.
        texts: further texts on which graph and network must agree.

    Raises:
        ModelError: the network cannot be exported, or graph and network answer differently.
    """
    network = classifier.network
    was_training = network.training
    network.eval()
    try:
        _export(classifier, path, [*PROBES, *(texts or ())])
    finally:
        network.train(was_training)


def _export(classifier: TextClassifier, path: Path, texts: Sequence[str]) -> None:
    """Write and check the graph; one that was traced for another network gets a second chance."""
    architecture = architecture_of(classifier)
    used_again = is_traced(architecture)
    graph_of(classifier, architecture).save(path, external_data=_weight_bytes(classifier) > SINGLE_FILE_LIMIT)
    try:
        _check(classifier, path, texts)
    except ModelError:
        forget_trace(architecture)
        if not used_again:
            raise
        _export(classifier, path, texts)


def _weight_bytes(classifier: TextClassifier) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in classifier.network.state_dict().values())


def _check(classifier: TextClassifier, path: Path, texts: Sequence[str]) -> None:
    """Compare graph and network for one text and for a batch: sizes other than those that were traced."""
    graph = OnnxModel(classifier.tokenizer, path, threads=1)
    for some in (texts[:1], [*texts, texts[0]]):
        expected, found = predict_logits(classifier, some), graph.logits(some)
        scale = max(1.0, float(np.abs(expected).max()))
        difference = float(np.abs(expected - found).max()) / scale
        if not difference <= TOLERANCE:  # so that NaN fails too
            raise ModelError(
                f"{path}: the ONNX graph and the network differ by {difference:.1e} of the largest logit, "
                f"and at most {TOLERANCE:.0e} is rounding; does forward() depend on Python values?"
            )

"""Export a classifier to an ONNX graph with dynamic batch and length, and prove that both answer alike."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from distill.errors import ModelError
from distill.inference import OnnxModel, predict_logits
from distill.tokenizer import collate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from torch.onnx import ONNXProgram

    from distill.contracts import Batch, TextClassifier

OPSET = 18
"""The opset that PyTorch's exporter speaks natively; another one would need a conversion afterwards."""
TOLERANCE = 1e-4
"""The largest difference between graph and network, as a share of the largest logit, or of 1."""

AXES = ("batch", "length", "pieces")
"""The dynamic dimensions of every input, in order; `pieces` are the character n-grams of a token."""
SINGLE_FILE_LIMIT = 1_900_000_000
"""Bytes of weights that fit into one protobuf file (2 GB) beside the graph itself."""

PROBES = (
    "no",
    "I have not seen a film as honest as this one in years, and I do not expect to see another.",
    "Pneumonoultramicroscopicsilicovolcanoconiosis is no fun at all.",
)
"""Texts of different lengths, with a word that no vocabulary holds: every dimension is larger than 1."""

TRACED_LENGTH = 5
"""Tokens of a text that are traced: an LSTM is run step by step more than once, for every token."""

KNOWN_WARNINGS = (
    r"_check_is_size will be removed in a future PyTorch release",
    r"The tensor attributes? self\..*_flat_weights",
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    r"# The axis name: \w+ will not be used, since it shares the same shape constraints",
)
"""What PyTorch's exporter says of itself (not of the network) on each export."""


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
        _write(_trace(classifier), path, external_data=_weight_bytes(classifier) > SINGLE_FILE_LIMIT)
        _check(classifier, path, [*PROBES, *(texts or ())])
    finally:
        network.train(was_training)


def _trace(classifier: TextClassifier) -> ONNXProgram:
    import torch

    tokenizer = classifier.tokenizer
    batch: Batch = collate(tokenizer.encode(PROBES), tokenizer.pad_values)
    inputs = {name: torch.from_numpy(batch[name][:, :TRACED_LENGTH].copy()) for name in tokenizer.input_names}
    axes = {name: dict(enumerate(AXES[: array.ndim])) for name, array in inputs.items()}
    _forget_recurrent_kernels()
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                classifier.network,
                kwargs=inputs,
                dynamic_shapes=axes,
                input_names=list(inputs),
                output_names=["logits"],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
            return cast("ONNXProgram", program)
    except Exception as error:  # the exporter passes on whatever the network raises
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ModelError(
            f"{type(classifier.network).__name__} cannot be exported to ONNX: {reason}"
        ) from error


def _forget_recurrent_kernels() -> None:
    """Let the exporter swap the shape rules of LSTM and GRU in, so that any length fits the graph.

    PyTorch (2.13) swaps them without clearing what the operator remembers from the export before: each
    export of an LSTM but the first of a process would fix its length.
    """
    import torch

    for operator in (torch.ops.aten.lstm.input, torch.ops.aten.gru.input):
        operator._dispatch_cache.clear()  # noqa: SLF001 - there is no public way


def _write(program: ONNXProgram, path: Path, *, external_data: bool) -> None:
    for graph in program.model.graphs():
        for node in graph:
            node.metadata_props.clear()  # stack traces with this machine's paths, as large as a small student
    program.save(path, external_data=external_data)


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


def _is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("torchvision is not installed")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says of itself; anything else is still heard."""
    logger: Any = logging.getLogger("torch.onnx._internal.exporter._registration")
    logger.addFilter(_is_news)
    try:
        with warnings.catch_warnings():
            for message in KNOWN_WARNINGS:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        logger.removeFilter(_is_news)

"""Trace a network to an ONNX graph, once for all models of one architecture: tracing is nearly all of an export."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from distill.errors import ModelError
from distill.tokenizer import collate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import onnx_ir
    from torch import Tensor
    from torch.onnx import ONNXProgram

    from distill.contracts import Batch, TextClassifier

OPSET = 18
"""The opset that PyTorch's exporter speaks natively; another one would need a conversion afterwards."""
AXES = ("batch", "length", "pieces")
"""The dynamic dimensions of every input, in order; `pieces` are the character n-grams of a token."""

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

_GRAPHS: dict[str, onnx_ir.Model] = {}
"""Architecture -> graph without weights, of this process."""


def architecture_of(classifier: TextClassifier) -> str:
    """Return what networks of one architecture share: modules with their settings, inputs, shapes of weights.

    What a network keeps elsewhere, as in a plain attribute, does not show; so a graph that is used again must be
    compared with its network.
    """
    shapes = [(name, tuple(each.shape), each.dtype) for name, each in _weights(classifier).items()]
    network = classifier.network
    return f"{type(network).__module__} {network!r} {tuple(classifier.tokenizer.input_names)} {shapes}"


def is_traced(architecture: str) -> bool:
    """Tell whether a graph of that architecture can be used again."""
    return architecture in _GRAPHS


def forget_trace(architecture: str) -> None:
    """Drop a graph that does not fit after all."""
    del _GRAPHS[architecture]


def graph_of(classifier: TextClassifier, architecture: str) -> ONNXProgram:
    """Return the optimised graph with the network's weights, traced now or for an earlier network.

    Raises:
        ModelError: the network cannot be traced.
    """
    from torch.onnx import ONNXProgram

    weights = _weights(classifier)
    if architecture not in _GRAPHS:
        _GRAPHS[architecture] = _without_weights(_trace(classifier).model, weights)
    program = ONNXProgram(_with_weights(_GRAPHS[architecture].clone(), weights), None)
    program.optimize()
    return program


def _weights(classifier: TextClassifier) -> Mapping[str, Tensor]:
    return classifier.network.state_dict()


def _without_weights(graph: onnx_ir.Model, weights: Mapping[str, Tensor]) -> onnx_ir.Model:
    for name, value in graph.graph.initializers.items():
        if name in weights:
            value.const_value = None
    for each in graph.graphs():
        for node in each:
            node.metadata_props.clear()  # stack traces with this machine's paths, as large as a small student
    return graph


def _with_weights(graph: onnx_ir.Model, weights: Mapping[str, Tensor]) -> onnx_ir.Model:
    import onnx_ir

    for name, value in graph.graph.initializers.items():
        if name in weights:
            value.const_value = onnx_ir.tensor(weights[name].detach().cpu().numpy(), name=name)
    return graph


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
                optimize=False,
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

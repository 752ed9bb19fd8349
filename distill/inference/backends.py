"""One model, two ways to ask it: eager PyTorch, and ONNX Runtime, which needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from distill.contracts import Encoding, TextClassifier, Tokenizer
from distill.errors import ModelError
from distill.inference.logits import length_sorted_batches, predict_logits
from distill.tokenizer import collate

if TYPE_CHECKING:
    from distill.contracts import FloatArray


class LogitModel(Protocol):
    """Raw text in, logits out."""

    def logits(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        """Return float32 logits of shape [texts, labels]."""


@dataclass(frozen=True)
class TorchModel:
    """A classifier in eager PyTorch."""

    classifier: TextClassifier

    def logits(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        """Return float32 logits of shape [texts, labels]."""
        return predict_logits(self.classifier, texts, batch_size=batch_size)


class OnnxModel:
    """An exported graph in ONNX Runtime, on the CPU. Needs no torch."""

    def __init__(self, tokenizer: Tokenizer, graph: Path, *, threads: int | None = None) -> None:
        """Load a graph.

        Args:
            tokenizer: gives the graph's inputs.
            graph: an ONNX file.
            threads: how many to use; None leaves the choice to ONNX Runtime.

        Raises:
            ModelError: the graph is missing or cannot be run.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(graph), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own exceptions have no common base
            raise ModelError(f"{graph}: not a graph that ONNX Runtime can run ({error})") from error
        self._tokenizer = tokenizer
        self._inputs = tuple(found.name for found in self._session.get_inputs())

    def logits(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        """Return float32 logits of shape [texts, labels]."""
        encodings = self._tokenizer.encode(texts)
        if len(encodings) == 1:
            return self._run(encodings)
        answers: dict[int, Any] = {}
        for rows in length_sorted_batches(encodings, batch_size):
            answers.update(zip(rows, self._run([encodings[i] for i in rows]), strict=True))
        return np.stack([answers[i] for i in range(len(encodings))])

    def _run(self, encodings: Sequence[Encoding]) -> FloatArray:
        batch = collate(encodings, self._tokenizer.pad_values)
        found: FloatArray = self._session.run(None, {name: batch[name] for name in self._inputs})[0]
        return found

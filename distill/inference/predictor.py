"""A published model: raw text in, calibrated probabilities and labels out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from distill.contracts import Task
from distill.errors import ModelError
from distill.inference.backends import LogitModel, OnnxModel, TorchModel
from distill.model_folder import GRAPH, ModelFolder, read_model

if TYPE_CHECKING:
    from distill.contracts import FloatArray

CALIBRATION = "calibration.json"


def probabilities(logits: FloatArray, task: Task, temperature: float = 1.0) -> FloatArray:
    """Return probabilities of shape [texts, labels]: sigmoid for independent labels, softmax for one of several."""
    from scipy.special import expit, softmax

    scaled = logits.astype(np.float64) / temperature
    found = expit(scaled) if task.kind == "multi_label" else softmax(scaled, axis=1)
    return np.asarray(found, dtype=np.float32)


@dataclass(frozen=True)
class Prediction:
    """What a model says of one text."""

    text: str
    probabilities: dict[str, float]
    labels: tuple[str, ...]
    """Labels at or above their validation threshold, or the one most probable class."""


class Predictor:
    """A published model: raw text in, calibrated probabilities and labels out."""

    def __init__(
        self, model: ModelFolder, backend: Literal["onnx", "torch"], *, threads: int | None = None
    ) -> None:
        self._model, self._backend, self._threads = model, backend, threads
        self.task, self.config = model.task, model.config
        calibration = _read_calibration(model.path)
        self.temperature: float = calibration["temperature"]
        self.thresholds: dict[str, float] = calibration["thresholds"]

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities' columns."""
        return self.task.label_names

    @cached_property
    def _logits(self) -> LogitModel:
        if self._backend == "onnx":
            return OnnxModel(self._model.tokenizer(), self._model.path / GRAPH, threads=self._threads)
        return TorchModel(self._model.classifier())

    def predict_proba(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        """Return calibrated probabilities, float32 of shape [texts, labels]."""
        if isinstance(texts, str):
            raise TypeError("texts: expected a list of texts, got one text; write [text]")
        if not len(texts):
            return np.empty((0, self.task.num_labels), dtype=np.float32)
        return probabilities(self._logits.logits(texts, batch_size=batch_size), self.task, self.temperature)

    def predict(self, texts: Sequence[str], *, batch_size: int = 32) -> list[Prediction]:
        """Return probabilities by name and the labels that hold, for each text."""
        return [
            Prediction(text, dict(zip(self.label_names, map(float, row), strict=True)), self._decide(row))
            for text, row in zip(texts, self.predict_proba(texts, batch_size=batch_size), strict=True)
        ]

    def _decide(self, row: FloatArray) -> tuple[str, ...]:
        if self.task.kind == "single_label":
            return (self.label_names[int(row.argmax())],)
        return tuple(
            name for name, p in zip(self.label_names, row, strict=True) if p >= self.thresholds.get(name, 0.5)
        )


def load_student(
    folder: str | Path,
    *,
    backend: Literal["onnx", "torch"] | None = None,
    threads: int | None = None,
    trust_custom_code: bool = False,
    code_folder: str | Path | None = None,
) -> Predictor:
    """Load a published student (or teacher) for predicting.

    Args:
        folder: a folder that `distill run` published or `distill pull` fetched.
        backend: ONNX Runtime, or eager PyTorch; by default ONNX where the folder holds a graph.
        threads: for ONNX Runtime; None leaves the choice to it.
        trust_custom_code: allow code that the folder names, beyond distill's own, to be imported.
        code_folder: where to look for that code besides the installed packages.

    Raises:
        ModelError: the folder is no model, of another format version, damaged, or of untrusted code.
    """
    place = Path(folder)
    model = read_model(
        place, trust_custom_code=trust_custom_code, beside=Path(code_folder) if code_folder else None
    )
    has_graph = (place / GRAPH).is_file()
    return Predictor(model, backend or ("onnx" if has_graph else "torch"), threads=threads)


def _read_calibration(folder: Path) -> dict[str, Any]:
    path = folder / CALIBRATION
    if not path.is_file():
        return {"temperature": 1.0, "thresholds": {}}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"temperature": float(found["temperature"]), "thresholds": dict(found["thresholds"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: not a calibration that distill wrote ({error})") from error

"""From a model folder and raw text to logits and calibrated probabilities.

Evaluation, speed and predict use only this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from distill.contracts import Encoding, Task, TextClassifier, Tokenizer
from distill.errors import ModelError
from distill.model_folder import GRAPH, ModelFolder, read_model
from distill.tokenizer import collate

if TYPE_CHECKING:
    from distill.contracts import FloatArray
    from distill.corpus import Corpus, LogitTable

CALIBRATION = "calibration.json"


class LogitModel(Protocol):
    """Raw text in, logits out."""

    def logits(self, texts: Sequence[str], *, batch_size: int = 32) -> FloatArray:
        """Return float32 logits of shape [texts, labels]."""


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
        self.task = model.task
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

"""The linear teacher: logistic regression over TF-IDF, fitted by scikit-learn, kept as a bag of embeddings.

A multi-label task gets a binary classifier for each label, a single-label task one multinomial classifier,
so that sigmoid or softmax of the logits are the probabilities that were fitted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from distill.contracts import Task, TextClassifier, Tokenizer
from distill.errors import DataError
from teachers.tfidf import TfidfTokenizer, Vectoriser

if TYPE_CHECKING:
    from distill.contracts import Array
    from distill.corpus import Split
    from teachers.configs import LinearConfig

MAX_ITERATIONS = 1000


class LinearNetwork(nn.Module):
    """A linear function of sparse features: each feature's row of coefficients is an embedding."""

    def __init__(self, features: int, num_labels: int) -> None:
        super().__init__()
        self.coefficients = nn.Embedding(features, num_labels)
        self.bias = nn.Parameter(torch.zeros(num_labels))
        nn.init.zeros_(self.coefficients.weight)

    def forward(self, ids: Tensor, weights: Tensor) -> Tensor:
        """Return logits.

        Args:
            ids: int64 [B, L], which features a text has.
            weights: float32 [B, L], how much each counts; 0 where a row is padded.

        Returns:
            Logits of shape [B, labels].
        """
        rows: Tensor = self.coefficients(ids)
        return torch.bmm(weights.unsqueeze(1), rows).squeeze(1) + self.bias


def num_features(tokenizer: Tokenizer) -> int:
    """Return how many rows of coefficients a tokenizer's ids need."""
    return cast("TfidfTokenizer", tokenizer).num_features


def fit(config: LinearConfig, task: Task, train: Split) -> TextClassifier:
    """Return the classifier fitted to the labelled texts of train.

    Raises:
        DataError: no feature is frequent enough, or a class has no text.
    """
    kinds = {"words": config.word_ngrams, "characters": config.character_ngrams}
    tokenizer = TfidfTokenizer(
        [
            Vectoriser.fit(analyser, lengths, train.texts, config.min_texts, config.max_features)
            for analyser, lengths in kinds.items()
        ]
    )
    if not tokenizer.num_features:
        raise DataError(f"train: no word or character n-gram occurs in {config.min_texts} texts (min_texts)")
    features = feature_matrix(tokenizer, train.texts)
    fitted = _fit_labels if task.kind == "multi_label" else _fit_classes
    coefficients, bias = fitted(features, train.labels, task, config.inverse_regularisation)
    network = LinearNetwork(tokenizer.num_features, task.num_labels)
    network.coefficients.weight.data = torch.tensor(coefficients.T, dtype=torch.float32).contiguous()
    network.bias.data = torch.tensor(bias, dtype=torch.float32)
    return TextClassifier(tokenizer, network)


def feature_matrix(tokenizer: TfidfTokenizer, texts: tuple[str, ...]) -> csr_matrix:
    """Return the texts' features as a sparse matrix, float64 [texts, features]."""
    encodings = tokenizer.encode(texts)
    ends = np.cumsum([0, *(len(encoding["ids"]) for encoding in encodings)])
    ids = np.concatenate([encoding["ids"] for encoding in encodings])
    weights = np.concatenate([encoding["weights"] for encoding in encodings]).astype(np.float64)
    return csr_matrix((weights, ids, ends), shape=(len(texts), tokenizer.num_features))


def _fit_labels(features: csr_matrix, labels: Array, task: Task, inverse: float) -> tuple[Array, Array]:
    """Fit a binary classifier for each label, on the rows where it is known."""
    coefficients, bias = np.zeros((task.num_labels, features.shape[1])), np.zeros(task.num_labels)
    for label in range(task.num_labels):
        known = ~np.isnan(labels[:, label])
        wanted = labels[known, label]
        if len(set(wanted.tolist())) < 2:
            bias[label] = _constant(wanted)
            continue
        model = LogisticRegression(C=inverse, solver="liblinear", max_iter=MAX_ITERATIONS)
        model.fit(features[known], wanted)
        coefficients[label], bias[label] = model.coef_[0], model.intercept_[0]
    return coefficients, bias


def _constant(wanted: Array) -> float:
    """Return the log odds of a label that is known as always or never true, each side counted once more."""
    positives = float(wanted.sum())
    return float(np.log((positives + 1) / (len(wanted) - positives + 1)))


def _fit_classes(features: csr_matrix, labels: Array, task: Task, inverse: float) -> tuple[Array, Array]:
    """Fit one multinomial classifier on the rows whose class is known."""
    known = labels >= 0
    absent = [name for i, name in enumerate(task.label_names) if not (labels == i).any()]
    if absent:
        raise DataError(f"train: no text of class {', '.join(absent)}, so that nothing can be fitted to it")
    model = LogisticRegression(C=inverse, solver="lbfgs", max_iter=MAX_ITERATIONS)
    model.fit(features[known], labels[known])
    if task.num_labels == 2:  # scikit-learn keeps one row of two, the log odds
        signs = np.array([-0.5, 0.5])
        return signs[:, None] * model.coef_, signs * model.intercept_
    return model.coef_, model.intercept_

"""Quality of logits against labels, unknown labels left out: one definition for training and for evaluation.

Each label is one column: its own (multi-label), or its class against all others (single-label). A metric of a
label that has no positive or no negative example is undefined: it is None, and no mean counts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from distill.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from distill.contracts import Array, Task

    Doubles = npt.NDArray[np.float64]

SELECTION_METRICS = {"multi_label": "macro_ap", "single_label": "macro_f1"}


def selection_metric_name(task: Task) -> str:
    """Return the metric that chooses epochs and ranks models: `macro_ap`, or `macro_f1` for single-label.

    Average precision needs no threshold, and an epoch has none yet. Of several classes the most probable
    one is taken, so that F1 needs none either; unlike accuracy, it lets no frequent class hide rare ones.
    """
    return SELECTION_METRICS[task.kind]


def validation_metric(task: Task, logits: Array, labels: Array) -> float:
    """Return the metric that `selection_metric_name` names.

    Args:
        task: what is predicted.
        logits: [N, C].
        labels: [N, C] with NaN for unknown, or [N] with -1 for unknown.

    Raises:
        DataError: it is undefined for every label.
    """
    columns = label_columns(task, labels)
    if task.kind == "multi_label":
        each = [average_precision(*known) for known in known_rows(ranking_scores(task, logits), columns)]
    else:
        each = f1_by_label(one_hot(logits), columns)
    value = macro(each)
    if value is None:
        raise DataError(
            "validation: no label has both a positive and a negative example, so that nothing can be chosen; "
            "give it more texts, or leave it out, and it is cut from train"
        )
    return value


def label_columns(task: Task, labels: Array) -> Doubles:
    """Return labels as float64 [N, C]: 0, 1, or NaN for unknown; classes become one column each."""
    if task.kind == "multi_label":
        return np.asarray(labels, dtype=np.float64)
    columns = np.where(labels[:, None] == np.arange(task.num_labels), 1.0, 0.0)
    columns[labels < 0] = np.nan
    return columns


def ranking_scores(task: Task, logits: Array) -> Doubles:
    """Return float64 [N, C] in the order of the probabilities, without ties where those round to 0 or 1.

    For one class of several it is the class's log-odds, log p - log(1 - p).
    """
    from scipy.special import logsumexp

    scores = logits.astype(np.float64)
    if task.kind == "multi_label":
        return scores
    others = [logsumexp(np.delete(scores, label, axis=1), axis=1) for label in range(task.num_labels)]
    return np.asarray(scores - np.stack(others, axis=1), dtype=np.float64)


def known_rows(scores: Array, columns: Doubles) -> Iterator[tuple[Array, Array]]:
    """Yield for each label the scores and the 0/1 labels of the rows where it is known."""
    for label in range(columns.shape[1]):
        known = ~np.isnan(columns[:, label])
        yield scores[known, label], columns[known, label].astype(np.int64)


def defined_labels(columns: Doubles) -> npt.NDArray[np.bool_]:
    """Tell which labels have both a positive and a negative example, bool [C]."""
    return np.asarray((columns == 1).any(axis=0) & (columns == 0).any(axis=0))


def average_precision(scores: Array, truth: Array) -> float | None:
    """Return the average precision of one label's scores [N] against 0/1 [N]; tied scores are one step."""
    from torchmetrics.functional.classification import binary_average_precision

    return _of_ranks(binary_average_precision, scores, truth)


def roc_auc(scores: Array, truth: Array) -> float | None:
    """Return the area under the ROC curve of one label's scores [N] against 0/1 [N]; a tie counts half."""
    from torchmetrics.functional.classification import binary_auroc

    return _of_ranks(binary_auroc, scores, truth)


def _of_ranks(metric: Any, scores: Array, truth: Array) -> float | None:
    """Hand over ranks in [0, 1]: torchmetrics squashes other scores by a sigmoid, which ties large ones."""
    import torch

    if not 0 < truth.sum() < len(truth):
        return None
    ranks = np.unique(scores, return_inverse=True)[1] / max(1, len(scores))
    # torchmetrics sums in float32, where the area of a perfect ranking may come out as 1.0000001
    return min(1.0, float(metric(torch.from_numpy(ranks), torch.from_numpy(truth))))


def one_hot(scores: Array) -> npt.NDArray[np.bool_]:
    """Return the decision for the most probable class, bool [N, C]."""
    return np.asarray(scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1]))


def f1_by_label(decisions: npt.NDArray[np.bool_], columns: Doubles) -> list[float | None]:
    """Return F1 for each label from decisions [N, C]; None where it is undefined."""
    each = _f1(decisions, columns, "none").reshape(-1).tolist()
    return [value if defined else None for value, defined in zip(each, defined_labels(columns), strict=True)]


def micro_f1(decisions: npt.NDArray[np.bool_], columns: Doubles) -> float:
    """Return F1 over all known decisions [N, C] of all labels at once."""
    return float(_f1(decisions, columns, "micro"))


def _f1(decisions: npt.NDArray[np.bool_], columns: Doubles, average: Literal["none", "micro"]) -> Tensor:
    import torch
    from torchmetrics.functional.classification import multilabel_f1_score

    truth = torch.from_numpy(np.where(np.isnan(columns), -1, columns).astype(np.int64))
    return multilabel_f1_score(
        torch.from_numpy(decisions.astype(np.int64)),
        truth,
        num_labels=columns.shape[1],
        average=average,
        ignore_index=-1,
        validate_args=False,  # which would refuse a task of a single label
    )


def macro(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are defined, or None if none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None

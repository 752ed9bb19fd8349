"""The hard loss: what the labels say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from distill.contracts import Targets, Task


class HardObjective:
    """BCE with logits summed over known labels, or cross-entropy summed over labelled rows."""

    def __init__(self, task: Task, class_weights: Sequence[float] | None = None) -> None:
        self.kind = task.kind
        self.class_weights = (
            None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        )

    def __call__(self, student_logits: Tensor, targets: Targets) -> Mapping[str, Tensor]:
        """Return the loss of logits [B, C], summed over rows; unknown labels add nothing."""
        weights = None if self.class_weights is None else self.class_weights.to(student_logits)
        if self.kind == "multi_label":
            loss = binary_cross_entropy(student_logits, targets.labels, weights)
        else:
            loss = functional.cross_entropy(
                student_logits, targets.labels, weight=weights, ignore_index=-1, reduction="sum"
            )
        return {"loss": loss, "hard_loss": loss.detach()}


def binary_cross_entropy(logits: Tensor, labels: Tensor, pos_weight: Tensor | None) -> Tensor:
    """Sum BCE over the labels that are known; `labels` is [B, C] with NaN where unknown."""
    known = ~labels.isnan()
    truth = torch.where(known, labels, torch.zeros_like(labels)).to(logits)
    each = functional.binary_cross_entropy_with_logits(logits, truth, pos_weight=pos_weight, reduction="none")
    return (each * known).sum()

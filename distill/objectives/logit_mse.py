"""The squared difference of logits, scaled so that it is the soft loss's limit at a high temperature.

Source: section 2.1 of Hinton, Vinyals and Dean (2015); Ba and Caruana, "Do Deep Nets Really Need to be Deep?" (2014).
"""

from __future__ import annotations

from torch import Tensor

from distill.contracts import TaskKind


class LogitMSELoss:
    """Sum of (s - t)^2 / 8 over independent labels; for classes, of squared centred differences / (2C)."""

    def __init__(self, kind: TaskKind) -> None:
        self.kind = kind

    def __call__(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        """Return a scalar from logits of shape [B, C]."""
        difference = student_logits - teacher_logits
        if self.kind == "multi_label":
            return difference.square().sum() / 8
        # softmax ignores a shift that all classes share, so the difference is centred
        centred = difference - difference.mean(dim=-1, keepdim=True)
        return centred.square().sum() / (2 * difference.shape[-1])

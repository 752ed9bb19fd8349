"""The soft loss of Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (2015).

For independent labels each label is a distribution of its own, so the divergence is a sum of binary ones:
softmax over such labels would make them compete. Both sides are written with log-sigmoid or log-softmax, never
with clamped probabilities, so that value and gradient stay right however large a logit is.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid

from distill.contracts import TaskKind


class SoftTargetLoss:
    """T^2 x KL(teacher at T || student at T), summed over rows (and labels)."""

    def __init__(self, kind: TaskKind, temperature: float) -> None:
        self.kind, self.temperature = kind, temperature

    def __call__(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        """Return a scalar from logits of shape [B, C]; its gradient in the student's logits is T (q - p)."""
        divergence = binary_divergence if self.kind == "multi_label" else class_divergence
        return self.temperature**2 * divergence(
            teacher_logits / self.temperature, student_logits / self.temperature
        )


def binary_divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """KL between independent binary distributions given by their logits, summed."""
    positive = teacher.sigmoid() * (logsigmoid(teacher) - logsigmoid(student))
    negative = (-teacher).sigmoid() * (logsigmoid(-teacher) - logsigmoid(-student))
    return (positive + negative).sum()


def class_divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """KL between class distributions given by their logits, summed over rows."""
    log_p, log_q = log_softmax(teacher, dim=-1), log_softmax(student, dim=-1)
    return (log_p.exp() * (log_p - log_q)).sum()

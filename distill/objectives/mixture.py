"""soft_weight x what the teacher says + (1 - soft_weight) x what the labels say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from distill.contracts import Targets
from distill.objectives.hard import HardObjective


class Mixture:
    """Any soft loss with the hard one; at weight 0 the teacher is not looked at, at weight 1 the labels are not."""

    def __init__(
        self, soft: Callable[[Tensor, Tensor], Tensor], hard: HardObjective, soft_weight: float
    ) -> None:
        self.soft, self.hard, self.soft_weight = soft, hard, soft_weight

    def __call__(self, student_logits: Tensor, targets: Targets) -> Mapping[str, Tensor]:
        """Return `loss` and its parts, each summed over rows."""
        terms: dict[str, Tensor] = {}
        loss = student_logits.new_zeros(())
        if self.soft_weight > 0:
            if targets.teacher_logits is None:
                raise ValueError(
                    "teacher_logits: None, but soft_weight is above 0; pass the teacher's logits [B, C]"
                )
            soft = self.soft(student_logits, targets.teacher_logits.to(student_logits))
            loss = loss + self.soft_weight * soft
            terms["soft_loss"] = soft.detach()
        if self.soft_weight < 1:
            hard = self.hard(student_logits, targets)["loss"]
            loss = loss + (1 - self.soft_weight) * hard
            terms["hard_loss"] = hard.detach()
        return {"loss": loss, **terms}

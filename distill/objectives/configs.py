"""The catalogue of objectives: every knob, and no torch until one is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from distill.config.base import ObjectiveConfig
from distill.contracts import Objective, Task
from distill.errors import ConfigError, did_you_mean

ClassWeights = Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None


class _LabelConfig(ObjectiveConfig):
    """What objectives that read labels have in common."""

    class_weights: ClassWeights = None
    """Weights of positives (multi-label) or of classes (single-label) in the labels' part of the loss: a map of
    label to weight, where labels that are not named weigh 1, or `balanced`, from the counts in train."""

    @field_validator("class_weights", mode="before")
    @classmethod
    def _one_clear_message(cls, found: Any) -> Any:
        """Check by hand, since a union would complain once for each of its members."""
        if not isinstance(found, dict):
            if found not in (None, "balanced"):
                raise ValueError(f"must be 'balanced' or a map of labels to weights, got {found!r}")
            return found
        for name, weight in found.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight > 0:
                raise ValueError(f"the weight of '{name}' must be a number above 0, got {weight!r}")
        return found

    def check_labels(self, label_names: Sequence[str]) -> None:
        """Check that no weight is given to a label that the data does not have."""
        if isinstance(self.class_weights, dict):
            _check_names(self.class_weights, label_names)


class HardConfig(_LabelConfig):
    """Learn from the labels alone: the control that every claim for distillation needs."""

    kind: Literal["hard"] = "hard"

    @property
    def needs_soft_targets(self) -> bool:
        """Never."""
        return False

    @property
    def needs_labels(self) -> bool:
        """Always."""
        return True

    def build(self, task: Task, label_counts: Mapping[str, tuple[int, int]]) -> Objective:
        """Return BCE with logits, or cross-entropy."""
        from distill.objectives.hard import HardObjective

        return HardObjective(task, resolve_class_weights(self.class_weights, task, label_counts))


class _SoftConfig(_LabelConfig):
    """What objectives that listen to the teacher have in common."""

    soft_weight: float = Field(0.5, ge=0, le=1)
    """Share of the teacher's part: 0 is supervised training, 1 needs no labels."""

    @property
    def needs_soft_targets(self) -> bool:
        """Unless the teacher's share is 0."""
        return self.soft_weight > 0

    @property
    def needs_labels(self) -> bool:
        """Only at share 0."""
        return self.soft_weight == 0


class SoftTargetConfig(_SoftConfig):
    """Match the teacher's softened probabilities: KL divergence at a temperature, plus BCE or cross-entropy."""

    kind: Literal["soft_target"] = "soft_target"
    temperature: float = Field(2.0, gt=0)
    """Divides both logits before the probabilities; the loss is multiplied by its square."""

    def build(self, task: Task, label_counts: Mapping[str, tuple[int, int]]) -> Objective:
        """Return the weighted sum of soft and hard loss."""
        from distill.objectives.hard import HardObjective
        from distill.objectives.mixture import Mixture
        from distill.objectives.soft_target import SoftTargetLoss

        hard = HardObjective(task, resolve_class_weights(self.class_weights, task, label_counts))
        return Mixture(SoftTargetLoss(task.kind, self.temperature), hard, self.soft_weight)


class LogitMSEConfig(_SoftConfig):
    """Match the teacher's logits: the limit of `soft_target` at a high temperature."""

    kind: Literal["logit_mse"] = "logit_mse"

    def build(self, task: Task, label_counts: Mapping[str, tuple[int, int]]) -> Objective:
        """Return the weighted sum of the squared logit difference and the hard loss."""
        from distill.objectives.hard import HardObjective
        from distill.objectives.logit_mse import LogitMSELoss
        from distill.objectives.mixture import Mixture

        hard = HardObjective(task, resolve_class_weights(self.class_weights, task, label_counts))
        return Mixture(LogitMSELoss(task.kind), hard, self.soft_weight)


def resolve_class_weights(
    class_weights: ClassWeights, task: Task, label_counts: Mapping[str, tuple[int, int]]
) -> list[float] | None:
    """Return a weight for each label, in the task's order.

    Balanced means negatives / positives for an independent label, and rows / (classes x rows of the class)
    for one class of several, as scikit-learn has it.

    Raises:
        ConfigError: a weight is given to a label that the data does not have.
    """
    if class_weights is None:
        return None
    if class_weights == "balanced":
        counts = [label_counts[name] for name in task.label_names]
        if task.kind == "multi_label":
            return [(known - positive) / positive for positive, known in counts]
        return [known / (task.num_labels * positive) for positive, known in counts]
    _check_names(class_weights, task.label_names)
    return [class_weights.get(name, 1.0) for name in task.label_names]


def _check_names(class_weights: Mapping[str, float], label_names: Sequence[str]) -> None:
    for name in class_weights:
        if name not in label_names:
            hint = did_you_mean(name, label_names)
            raise ConfigError(
                f"class_weights: unknown label '{name}'{hint} (labels: {', '.join(label_names)})"
            )

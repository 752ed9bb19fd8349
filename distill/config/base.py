"""The bases that every config class stands on: strict and frozen, with a docstring for each knob."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from distill.config.errors import error_at, name_closest_keys
from distill.contracts import BuildContext, Objective, Task, TaskKind, TextClassifier, Tokenizer

if TYPE_CHECKING:
    from torch import nn

    from distill.corpus import Split


class Config(BaseModel):
    """A frozen section of an experiment file; an unknown key is an error that names the closest known one."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    @model_validator(mode="wrap")
    @classmethod
    def _name_closest_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            raise name_closest_keys(error, cls.model_fields) from None


class TrainingConfig(Config):
    """How a network is trained. An override names only the keys that differ."""

    max_epochs: int = Field(8, ge=1)
    """Passes over train and transfer set. Every objective gets the same number of optimiser steps."""
    batch_size: int = Field(64, ge=1)
    """Texts of one optimiser step."""
    micro_batch_size: int | None = Field(None, ge=1)
    """Texts that are in memory at once; gradients add up to `batch_size`. Changes no figure but for rounding."""
    learning_rate: float = Field(1e-3, gt=0)
    """The highest learning rate of AdamW."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW's decay, for weight matrices only: not for biases, norms and embeddings."""
    warmup: float = Field(0.1, ge=0, le=1)
    """Share of all steps in which the learning rate rises from 0; after that it falls linearly to 0."""
    gradient_clip: float = Field(1.0, gt=0)
    """The largest gradient norm; longer gradients are scaled down."""
    validations_per_epoch: int = Field(1, ge=1)
    """How often validation is read, for early stopping and for the weights that are kept."""
    patience: int | None = Field(3, ge=1)
    """Stop after so many validations without a better result; null trains to the end."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` takes bf16 autocast where the processor has it and the model is large enough to gain."""
    bucket_by_length: bool = True
    """Batch texts of like length together, which saves padding."""

    def overridden_by(self, other: TrainingConfig | None) -> TrainingConfig:
        """Return these settings with every key that `other` names replaced by its value."""
        if other is None:
            return self
        named = {key: getattr(other, key) for key in other.model_fields_set}
        return self.model_validate(self.model_dump() | named)


class ModelConfig(Config):
    """What teachers and students have in common: a kind, knobs, and how to build or load the classifier.

    A subclass of `StudentConfig` writes `make_network` and is done. It overrides `make_tokenizer` and
    `load_tokenizer` for a tokenizer of its own, `build` to start from weights, and `save` and `load_network`
    where the architecture cannot be told from config, tokenizer and task alone.
    """

    kind: str
    """A built-in kind, or your own class as `package.module:Class`."""
    training: TrainingConfig | None = None
    """Overrides of the experiment's `training`, for this model."""

    bf16_pays: ClassVar[bool] = False
    """Whether `precision: auto` may take bf16 for this kind."""

    def make_tokenizer(self, context: BuildContext) -> Tokenizer:
        """Return a fresh tokenizer; by default word pieces learnt from `context.texts`."""
        from distill.tokenizer import FastTokenizer

        return FastTokenizer.train(context.texts)

    def make_network(self, tokenizer: Tokenizer, task: Task) -> nn.Module:
        """Return the untrained network: `forward(**arrays)` -> logits [B, task.num_labels]."""
        raise NotImplementedError(f"{type(self).__qualname__} must define make_network(tokenizer, task)")

    def build(self, context: BuildContext) -> TextClassifier:
        """Return the classifier as training starts with it. Torch is seeded before the call."""
        tokenizer = self.make_tokenizer(context)
        return TextClassifier(tokenizer, self.make_network(tokenizer, context.task))

    def save(self, classifier: TextClassifier, folder: Path) -> None:
        """Write into `folder` all that loading needs but for the weights, which distill writes itself."""
        classifier.tokenizer.save(folder)

    def load_tokenizer(self, folder: Path) -> Tokenizer:
        """Read the tokenizer that `save` wrote. Must not import torch, so that ONNX models predict without it."""
        from distill.tokenizer import FastTokenizer

        return FastTokenizer.load(folder)

    def load_network(self, folder: Path, tokenizer: Tokenizer, task: Task) -> nn.Module:  # noqa: ARG002
        """Return the network with the right shapes; distill fills in the weights."""
        return self.make_network(tokenizer, task)

    def content_files(self, base_folder: Path) -> Mapping[str, Path]:  # noqa: ARG002
        """Return files or folders that the config refers to; they enter fingerprints by content, not by path."""
        return {}

    def origin(self) -> str:
        """Return what the model is or starts from, for a model card; no path of this machine."""
        return self.kind

    def licence(self) -> str | None:
        """Return the licence of the weights that the model starts from, where it is stated."""
        return None

    def pinned(self) -> Mapping[str, Any]:
        """Return what the config looks like in fingerprints: all knobs, but for paths and `training`."""
        return self.model_dump(mode="json", exclude={"training"})

    def portable(self) -> Mapping[str, Any]:
        """Return what a model folder says of the config: all knobs but `training`, and of paths the names.

        The folder may be published, so that it tells nothing of this machine; loading reads no such path.
        """
        return self.model_dump(mode="json", exclude={"training"})


class StudentConfig(ModelConfig):
    """The base of every student's config."""

    @property
    def needs_teacher(self) -> bool:
        """Whether `build` reads the trained teacher's folder, for instance to copy layers."""
        return False


class TeacherConfig(ModelConfig):
    """The base of every teacher's config."""

    fine_tune: bool = True
    """False takes the weights as they are; then they must bring a head for exactly the data's labels."""

    @model_validator(mode="after")
    def _training_has_a_part(self) -> Self:
        if self.training is not None and (self.fits_in_closed_form or not self.fine_tune):
            why = f"{self.kind} is fitted in closed form" if self.fine_tune else "with fine_tune: false"
            message = f"{why}, nothing is trained step by step; leave it out"
            raise error_at(("training",), message, self.training)
        return self

    @property
    def fits_in_closed_form(self) -> bool:
        """Whether the teacher is fitted by `fit` instead of by gradient descent."""
        return False

    def fit(self, context: BuildContext, train: Split, validation: Split) -> TextClassifier:
        """Return the fitted classifier, for a teacher that is not trained by gradient descent."""
        raise NotImplementedError(f"{type(self).__qualname__} is trained by gradient descent")

    def labels_of_weights(self, base_folder: Path) -> tuple[str, ...] | None:  # noqa: ARG002
        """Return the label names that the weights bring, or None where they bring no head."""
        return None


class ObjectiveConfig(Config):
    """The base of every objective's config."""

    kind: str
    """A built-in kind, or your own class as `package.module:Class`."""

    tasks: ClassVar[frozenset[TaskKind]] = frozenset({"multi_label", "single_label"})
    """The kinds of task that the objective serves."""

    @property
    def needs_soft_targets(self) -> bool:
        """Whether batches must bring teacher logits; an objective that needs none trains on labelled texts only."""
        return True

    @property
    def needs_labels(self) -> bool:
        """Whether unlabelled texts add nothing, so that labels must be there."""
        return False

    def check_labels(self, label_names: Sequence[str]) -> None:
        """Check that the config names no label but these, before anything is trained.

        Raises:
            ConfigError: it does.
        """

    def build(self, task: Task, label_counts: Mapping[str, tuple[int, int]]) -> Objective:
        """Return the loss.

        Args:
            task: what is to be predicted.
            label_counts: label -> (positives, known rows) in train, for balanced class weights.
        """
        raise NotImplementedError(f"{type(self).__qualname__} must define build(task, label_counts)")

"""The catalogue of teachers: every knob with its meaning. Free of torch: networks are imported when built."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from distill.config.base import TeacherConfig
from distill.config.pretrained import PretrainedModelConfig, labels_of_head

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from distill.contracts import BuildContext, Task, TextClassifier, Tokenizer
    from distill.corpus import Split
    from teachers.tfidf import TfidfTokenizer


class TransformerTeacherConfig(PretrainedModelConfig, TeacherConfig):
    """Any sequence classifier of transformers, fine-tuned or taken as it is."""

    kind: Literal["transformer"] = "transformer"
    """A pretrained encoder with a classification head."""
    weights: str = Field(min_length=1)
    """A folder, relative to the experiment file; `package:NAME` for what an installed package ships; or,
    together with `revision`, the name of a model on the Hugging Face hub."""
    max_length: int = Field(128, ge=3)
    """Tokens of a text that are read, special ones included; the rest is cut."""
    dropout: float | None = Field(None, ge=0, lt=1)
    """Share of values that are dropped in training; null keeps what the weights were trained with."""

    bf16_pays: ClassVar[bool] = True

    def build(self, context: BuildContext) -> TextClassifier:
        """Return the weights with a head for the data's labels: their own if it fits, otherwise a fresh one.

        Raises:
            ModelError: there are no such weights, or they cannot be read.
        """
        from teachers.transformer import build

        return build(self, context)

    def labels_of_weights(self, base_folder: Path) -> tuple[str, ...] | None:
        """Return the labels of the weights' head, or None without one; weights on the hub are fetched."""
        return labels_of_head(self.weights_folder(base_folder))


class LinearConfig(TeacherConfig):
    """Logistic regression over TF-IDF of words and characters: the standing baseline of every frontier."""

    kind: Literal["linear"] = "linear"
    """Fitted in closed form by scikit-learn; `training` has no part in it."""
    word_ngrams: tuple[int, int] = (1, 2)
    """The fewest and the most neighbouring words of a feature."""
    character_ngrams: tuple[int, int] = (2, 5)
    """The fewest and the most neighbouring characters of a feature, within a word and a space around it."""
    min_texts: int = Field(2, ge=1)
    """A feature must occur in so many texts of train."""
    max_features: int | None = Field(None, ge=1)
    """The most word features, and the most character features, frequent ones first; null keeps all."""
    inverse_regularisation: float = Field(3.0, gt=0)
    """A larger value fits train more closely: the C of scikit-learn."""

    @field_validator("word_ngrams", "character_ngrams")
    @classmethod
    def _lengths_in_order(cls, found: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= found[0] <= found[1]:
            raise ValueError(f"must be the fewest and the most, as [1, 2], got {list(found)}")
        return found

    @model_validator(mode="after")
    def _is_always_fitted(self) -> LinearConfig:
        if not self.fine_tune:
            raise ValueError("fine_tune: false is for weights that are taken as they are; linear has none")
        return self

    @property
    def fits_in_closed_form(self) -> bool:
        """Always."""
        return True

    def fit(self, context: BuildContext, train: Split, validation: Split) -> TextClassifier:  # noqa: ARG002
        """Return the classifier fitted to train; validation is not looked at.

        Raises:
            DataError: a class without a text in train.
        """
        from teachers.linear import fit

        return fit(self, context.task, train)

    def load_tokenizer(self, folder: Path) -> TfidfTokenizer:
        """Read the features, without torch and scikit-learn."""
        from teachers.tfidf import TfidfTokenizer

        return TfidfTokenizer.load(folder)

    def make_network(self, tokenizer: Tokenizer, task: Task) -> nn.Module:
        """Return `teachers.linear.LinearNetwork`, its weights 0."""
        from teachers.linear import LinearNetwork, num_features

        return LinearNetwork(num_features(tokenizer), task.num_labels)

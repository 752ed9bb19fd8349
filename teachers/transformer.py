"""The transformer teacher: pretrained weights, their tokenizer, and a head for the data's labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.config.pretrained import labels_of_head
from distill.contracts import TextClassifier
from distill.sequence_classifier import load_pretrained, load_tokenizer

if TYPE_CHECKING:
    from distill.contracts import BuildContext
    from teachers.configs import TransformerTeacherConfig


def build(config: TransformerTeacherConfig, context: BuildContext) -> TextClassifier:
    """Return the teacher as fine-tuning starts with it, or as it is taken.

    Raises:
        ModelError: there are no such weights, or they cannot be read.
    """
    folder = config.weights_folder(context.base_folder)
    tokenizer = load_tokenizer(folder, config.max_length)
    network = load_pretrained(folder, context.task.label_names, labels_of_head(folder), config.dropout)
    return TextClassifier(tokenizer, network)

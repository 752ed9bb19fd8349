"""The transformer teacher: weights, their tokenizer, and a head for the data's labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.config.pretrained import labels_of_head
from distill.contracts import TextClassifier
from distill.errors import ModelError
from distill.sequence_classifier import load_pretrained, load_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from distill.contracts import BuildContext
    from teachers.configs import TransformerTeacherConfig


def build(config: TransformerTeacherConfig, context: BuildContext) -> TextClassifier:
    """Return the teacher as fine-tuning starts with it, or as it is taken.

    Raises:
        ModelError: no such weights, or `fine_tune: false` and a head for other labels.
    """
    folder = config.weights_folder(context.base_folder)
    label_names, head_labels = context.task.label_names, labels_of_head(folder)
    if not config.fine_tune:
        check_labels(folder, head_labels, label_names)
    tokenizer = load_tokenizer(folder, config.max_length)
    return TextClassifier(tokenizer, load_pretrained(folder, label_names, head_labels, config.dropout))


def check_labels(folder: Path, head_labels: tuple[str, ...] | None, label_names: tuple[str, ...]) -> None:
    """Refuse a teacher whose labels differ from the data's; another order is no difference.

    Raises:
        ModelError: lists both, and says what would be right.
    """
    remedy = "fine_tune: true trains a head for the data's labels"
    if head_labels is None:
        raise ModelError(f"{folder}: the weights bring no classification head to be taken as it is; {remedy}")
    if sorted(head_labels) != sorted(label_names):
        raise ModelError(
            f"{folder}: the teacher's labels differ from the data's; teacher: {', '.join(head_labels)}; "
            f"data: {', '.join(label_names)}; {remedy}"
        )

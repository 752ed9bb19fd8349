"""The transformer student: a small BERT, or the layers of a larger model picked evenly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from safetensors.torch import load_file

from distill.config.pretrained import labels_of_head
from distill.contracts import TextClassifier
from distill.errors import ModelError
from distill.sequence_classifier import (
    SequenceClassifier,
    load_architecture,
    load_pretrained,
    load_tokenizer,
    name_labels,
    new_network,
    shallower,
)
from distill.tokenizer import FastTokenizer

if TYPE_CHECKING:
    from distill.contracts import BuildContext, Task
    from students.configs import TransformerStudentConfig

TRAINED_WEIGHTS = "weights.safetensors"


def pick_layers(depth: int, kept: int) -> tuple[int, ...]:
    """Return which layers of `depth` to keep: evenly spread, the first and the last among them.

    12 -> 6 gives 0, 2, 4, 7, 9, 11, as in DistilBERT (Sanh et al. 2019, its published script);
    6 -> 3 gives 0, 2, 5. A single layer is the first.

    Raises:
        ModelError: more layers are wanted than there are.
    """
    if kept > depth:
        raise ModelError(f"num_layers: {kept} layers cannot be kept of a model that has {depth}")
    return tuple(round(i * (depth - 1) / max(kept - 1, 1)) for i in range(kept))


def random_network(
    config: TransformerStudentConfig, tokenizer: FastTokenizer, task: Task
) -> SequenceClassifier:
    """Return a BERT of the config's size with random weights."""
    from transformers import BertConfig

    sizes: dict[str, Any] = {
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "intermediate_size": config.intermediate_size,
    }
    architecture = BertConfig(
        **sizes,
        vocab_size=tokenizer.vocabulary_size,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
        max_position_embeddings=tokenizer.max_length,
        pad_token_id=tokenizer.pad_id,
        type_vocab_size=1,
    )
    name_labels(architecture, task.label_names)
    return new_network(architecture)


def from_weights(config: TransformerStudentConfig, context: BuildContext) -> TextClassifier:
    """Return the layers to keep of pretrained weights, and the weights' own tokenizer."""
    folder = config.weights_folder(context.base_folder)
    tokenizer = load_tokenizer(folder, cast("int", config.max_length))
    full = load_pretrained(folder, context.task.label_names, labels_of_head(folder))
    return TextClassifier(tokenizer, _picked(full, config, default=_depth(full)))


def from_teacher(config: TransformerStudentConfig, context: BuildContext) -> TextClassifier:
    """Return the layers to keep of the trained teacher, its head and tokenizer with them.

    Raises:
        ModelError: the teacher is no transformer, or has fewer layers than are to be kept.
    """
    folder = context.teacher_folder
    if folder is None:
        raise ModelError("initialise_from: fine_tuned needs a trained teacher, and this build was given none")
    full = load_architecture(folder)
    full.load_state_dict(load_file(folder / TRAINED_WEIGHTS))
    return TextClassifier(
        FastTokenizer.load(folder), _picked(full, config, default=max(1, _depth(full) // 2))
    )


def _picked(full: SequenceClassifier, config: TransformerStudentConfig, default: int) -> SequenceClassifier:
    return shallower(full, pick_layers(_depth(full), config.num_layers or default), config.dropout)


def _depth(network: SequenceClassifier) -> int:
    depth: int = network.model.config.num_hidden_layers
    return depth

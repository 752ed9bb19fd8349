"""The one door to `transformers`: its sequence classifiers as our networks, from weights or as saved.

Teachers and students both come through here. Nothing is fetched or printed, no code of a model is run.
"""

from __future__ import annotations

import copy
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from distill.errors import ModelError
from distill.tokenizer import FastTokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from transformers import PreTrainedConfig, PreTrainedModel

ARCHITECTURE = "architecture.json"
DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "seq_classif_dropout",
)
"""What the encoders of transformers call their dropout rates."""


class SequenceClassifier(nn.Module):
    """Any `...ForSequenceClassification` of transformers, as a network of ours."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return float32 logits.

        Args:
            input_ids: int64 [B, L].
            attention_mask: int64 [B, L], 0 where a row is padded.

        Returns:
            Logits of shape [B, labels].
        """
        logits: Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits.float()


def new_network(architecture: PreTrainedConfig) -> SequenceClassifier:
    """Return a network with random weights, drawn from torch's global generator."""
    from transformers import AutoModelForSequenceClassification

    with _quiet():
        return SequenceClassifier(AutoModelForSequenceClassification.from_config(architecture))  # type: ignore[no-untyped-call]


def load_pretrained(
    folder: Path,
    label_names: tuple[str, ...],
    head_labels: tuple[str, ...] | None,
    dropout: float | None = None,
) -> SequenceClassifier:
    """Return a network with the weights in `folder`.

    Args:
        folder: holds `config.json` and `model.safetensors`.
        label_names: what the logits are to be, in order.
        head_labels: what the logits of the weights' own head are, None without a head. The head stays, its
            rows put in order, if the labels are the same; otherwise a random one takes its place.
        dropout: replaces the rates that the weights were trained with.

    Raises:
        ModelError: the weights are damaged, or are not those of the architecture.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    keeps_head = head_labels is not None and set(head_labels) == set(label_names)
    try:
        with _quiet():
            architecture = AutoConfig.from_pretrained(folder, local_files_only=True)
            set_dropout(architecture, dropout)
            architecture.num_labels = len(label_names)
            model, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                config=architecture,
                ignore_mismatched_sizes=True,
                use_safetensors=True,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
            )
    except Exception as error:
        raise ModelError(f"{folder}: transformers cannot load it ({_first_line(error)})") from error
    absent = set(report["missing_keys"]) | {name for name, *_ in report["mismatched_keys"]}
    _check_loaded(folder, model, absent, with_head=keeps_head)
    head = _output_layer(model, len(label_names))
    if head_labels and keeps_head:
        _reorder(head, [head_labels.index(name) for name in label_names])
    else:
        _renew(head, getattr(architecture, "initializer_range", 0.02))
    name_labels(model.config, label_names)
    return SequenceClassifier(model.train())


def load_tokenizer(folder: Path, max_length: int) -> FastTokenizer:
    """Return the tokenizer of a folder of weights, with the model's own special tokens and padding.

    Raises:
        ModelError: there is no fast tokenizer in the folder, or the model cannot read `max_length` tokens.
    """
    from transformers import AutoTokenizer

    try:
        with _quiet():
            found = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            rust = found.backend_tokenizer
    except Exception as error:
        raise ModelError(
            f"{folder}: transformers cannot load its tokenizer ({_first_line(error)})"
        ) from error
    if max_length > found.model_max_length:
        most = found.model_max_length
        raise ModelError(f"{folder}: the model reads at most {most} tokens, but max_length is {max_length}")
    pad_id = next((i for i in (found.pad_token_id, found.eos_token_id) if i is not None), 0)
    return FastTokenizer(rust, max_length=max_length, pad_id=pad_id, unknown_id=found.unk_token_id)


def save_architecture(network: nn.Module, folder: Path) -> None:
    """Write what `load_architecture` reads: the model's configuration, without the place it came from."""
    model = cast("SequenceClassifier", network).model
    found = model.config.to_diff_dict()
    for key in ("_name_or_path", "architectures", "transformers_version", "dtype"):
        found.pop(key, None)
    (folder / ARCHITECTURE).write_text(json.dumps(found, indent=1), encoding="utf-8")


def load_architecture(folder: Path) -> SequenceClassifier:
    """Return the network that `save_architecture` described, its weights random.

    Raises:
        ModelError: the file is missing, damaged or of a model that transformers does not know.
    """
    from transformers import AutoConfig

    path = folder / ARCHITECTURE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return new_network(AutoConfig.for_model(**found))
    except FileNotFoundError:
        raise ModelError(f"{folder}: not a transformer, it has no {ARCHITECTURE}") from None
    except Exception as error:
        raise ModelError(f"{path}: transformers cannot build it ({_first_line(error)})") from error


def set_dropout(architecture: PreTrainedConfig, rate: float | None) -> None:
    """Set every dropout rate of an encoder; None leaves them."""
    for name in DROPOUTS if rate is not None else ():
        if isinstance(getattr(architecture, name, None), int | float):
            setattr(architecture, name, rate)


def name_labels(architecture: PreTrainedConfig, label_names: tuple[str, ...]) -> None:
    """Write the names of the logits into an architecture."""
    architecture.id2label = dict(enumerate(label_names))
    architecture.label2id = {name: i for i, name in enumerate(label_names)}


def shallower(network: SequenceClassifier, layers: tuple[int, ...], dropout: float) -> SequenceClassifier:
    """Return a new network with only these layers of the encoder and all that is no layer, weights copied.

    Raises:
        ModelError: the model is not a plain stack of layers.
    """
    architecture = copy.deepcopy(network.model.config)
    stack = _layer_stack(network.model)
    architecture.num_hidden_layers = len(layers)
    set_dropout(architecture, dropout)
    small, weights = new_network(architecture), network.state_dict()
    places = {f"model.{stack}.{new}.": f"model.{stack}.{old}." for new, old in enumerate(layers)}
    small.load_state_dict({name: weights[_renamed(name, places)] for name in small.state_dict()})
    return small


def _renamed(name: str, places: dict[str, str]) -> str:
    for new, old in places.items():
        if name.startswith(new):
            return old + name.removeprefix(new)
    return name


def _layer_stack(model: PreTrainedModel) -> str:
    depth: int = model.config.num_hidden_layers
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return str(name)
    raise ModelError(f"{type(model).__name__} is not a stack of {depth} layers of which some can be kept")


def _check_loaded(folder: Path, model: PreTrainedModel, absent: set[str], *, with_head: bool) -> None:
    """Refuse weights that leave a part of the encoder random; a head or BERT's pooler may be new."""
    encoder = f"{model.base_model_prefix}."
    wanted = [name for name in absent if with_head or (name.startswith(encoder) and ".pooler." not in name)]
    if wanted:
        raise ModelError(
            f"{folder}: not the weights of the {type(model).__name__} in config.json: "
            f"{len(wanted)} of its tensors are missing or of another shape, such as {min(wanted)}"
        )


def _output_layer(model: PreTrainedModel, num_labels: int) -> nn.Linear:
    """Return the layer whose outputs are the logits: the last fitting one outside the encoder."""
    encoder = set(model.base_model.modules())
    outside = [module for module in model.modules() if module not in encoder]
    heads = [found for found in outside if isinstance(found, nn.Linear) and found.out_features == num_labels]
    if not heads:
        raise ModelError(f"{type(model).__name__} has no linear layer with {num_labels} outputs as its head")
    return heads[-1]


def _renew(head: nn.Linear, deviation: float) -> None:
    nn.init.normal_(head.weight, std=deviation)
    if head.bias is not None:
        nn.init.zeros_(head.bias)


def _reorder(head: nn.Linear, order: list[int]) -> None:
    with torch.no_grad():
        head.weight.copy_(head.weight[order])
        if head.bias is not None:
            head.bias.copy_(head.bias[order])


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back transformers' bars and load reports: what they say, our own checks say where it matters."""
    from transformers import utils

    logging: Any = utils.logging
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()

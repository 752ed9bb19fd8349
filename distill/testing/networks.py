"""Checks of what a network answers: shape, independence of batch mates, gradients.

Each raises the AssertionError of `distill.testing.failures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from distill.errors import ModelError, told
from distill.inference import check_logits
from distill.testing.failures import fail, name_of
from distill.tokenizer import collate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from distill.config.base import ModelConfig
    from distill.contracts import Task, TextClassifier

TOLERANCE = 1e-5
"""The largest difference that rounding may make, as a share of the largest logit, or of 1."""


def check_answers(config: ModelConfig, classifier: TextClassifier, task: Task, texts: Sequence[str]) -> None:
    """Check that there is a finite float32 logit for each text and label, for several texts and for one."""
    for some in (texts, texts[:1]):
        logits = answers(config, classifier, some)
        try:
            check_logits(logits, len(some), task)
        except ModelError as error:
            raise AssertionError(f"{name_of(config)}: {error}") from error
        if logits.dtype != torch.float32:
            fail(config, f"forward() gave {logits.dtype}", "return float32 logits")
        if not bool(torch.isfinite(logits).all()):
            fail(
                config, "forward() gave logits that are not finite", "look for a division by 0 or a log of 0"
            )


def check_batch_mates(config: ModelConfig, classifier: TextClassifier, texts: Sequence[str]) -> None:
    """Check that a text's logits depend neither on chance nor on what it is padded with."""
    together = answers(config, classifier, texts)
    if not torch.equal(together, answers(config, classifier, texts)):
        remedy = "draw nothing at random in evaluation mode (dropout only where self.training)"
        fail(config, "the same batch gets other logits the second time", remedy)
    alone = torch.cat([answers(config, classifier, [text]) for text in texts])
    row = int((together - alone).abs().amax(1).argmax())
    change = difference(together, alone)
    if change > TOLERANCE:
        remedy = (
            "let padding count for nothing wherever forward() sums, averages or takes a maximum over tokens"
        )
        fail(config, f"the logits of {texts[row]!r} change by {change:.1e} with its batch mates", remedy)


def check_gradients(config: ModelConfig, classifier: TextClassifier, texts: Sequence[str]) -> None:
    """Check that a finite gradient reaches every parameter that is to be trained."""
    network = classifier.network.train()
    trained = {name: found for name, found in network.named_parameters() if found.requires_grad}
    if not trained:
        fail(config, "it has no parameter to train", "make at least the output layer's trainable")
    network.zero_grad()
    logits = _logits(config, classifier, texts)
    if not logits.requires_grad:
        fail(config, "no gradient leaves the logits", "neither detach them nor compute them under no_grad")
    (logits * torch.linspace(-1, 1, logits.numel()).reshape(logits.shape)).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in trained.items():
        if parameter.grad is None:
            remedy = "use it in forward(), or set requires_grad to False"
            fail(config, f"no gradient reaches {name}", remedy)
        if not bool(torch.isfinite(parameter.grad).all()):
            fail(config, f"the gradient of {name} is not finite", "look for 0/0, the root of 0 or a log of 0")
    network.zero_grad()


def answers(config: ModelConfig, classifier: TextClassifier, texts: Sequence[str]) -> Tensor:
    """Return the logits of one padded batch in evaluation mode."""
    classifier.network.eval()
    with torch.no_grad():
        return _logits(config, classifier, texts)


def _logits(config: ModelConfig, classifier: TextClassifier, texts: Sequence[str]) -> Tensor:
    """Return the logits of one padded batch, in the network's present mode."""
    tokenizer = classifier.tokenizer
    batch = collate(tokenizer.encode(texts), tokenizer.pad_values)
    try:
        logits: Tensor = classifier.network(
            **{name: torch.from_numpy(array) for name, array in batch.items()}
        )
    except Exception as error:
        takes = ", ".join(tokenizer.input_names)
        raise AssertionError(
            f"{name_of(config)}: forward() failed on {len(texts)} texts: {told(error)}; "
            f"it is called by name with {takes}, each a tensor [texts, tokens, ...]"
        ) from error
    return logits


def difference(first: Tensor, second: Tensor) -> float:
    """Return the largest difference of logits, as a share of the largest logit, or of 1."""
    return float((first - second).abs().max() / max(1.0, float(first.abs().max())))

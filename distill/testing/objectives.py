"""Checks of objectives: named terms, sums over rows, nothing breaks on unknown labels or at large logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from distill.contracts import Targets, Task
from distill.testing.examples import LABEL_NAMES, SEED, TEXTS, labelled
from distill.testing.failures import fail, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from distill.config.base import ObjectiveConfig
    from distill.contracts import Objective

TOLERANCE = 1e-4
"""The largest difference that rounding may make, as a share of the larger loss, or of 1."""
LARGE = 10_000.0
"""Logits as large as this must not make a loss or gradient infinite."""


def check_objective(config: ObjectiveConfig, *, label_names: Sequence[str] = LABEL_NAMES) -> None:
    """Check all that training relies on, for each kind of task that the objective serves.

    Args:
        config: the objective's config.
        label_names: what is to be predicted; at least two.

    Raises:
        AssertionError: says what is wrong and how to mend it.
    """
    if not config.tasks:
        fail(config, "it serves no kind of task", "name some in `tasks`")
    for kind in sorted(config.tasks):
        task = Task(kind, tuple(label_names))
        counts = dict.fromkeys(label_names, (4, 10))
        try:
            objective = config.build(task, counts)
        except Exception as error:
            raise AssertionError(f"{name_of(config)}: it cannot be built for {kind}: {error!r}") from error
        _check(config, objective, task)


def _check(config: ObjectiveConfig, objective: Objective, task: Task) -> None:
    logits, targets = _example(config, task)
    whole = _loss(config, objective, logits, targets)
    halves = [slice(0, 6), slice(6, None)]
    parts = sum(_loss(config, objective, logits[rows], _rows(targets, rows)) for rows in halves)
    if not torch.isclose(whole, torch.as_tensor(parts), rtol=TOLERANCE, atol=TOLERANCE):
        remedy = (
            "sum over rows and divide by nothing: the training loop divides by the rows of the whole step"
        )
        fail(config, f"a batch's loss is {whole:.6g}, but its parts add up to {parts:.6g}", remedy)
    turned = _loss(config, objective, logits.flip(0), _rows(targets, slice(None, None, -1)))
    if not torch.isclose(whole, turned, rtol=TOLERANCE, atol=TOLERANCE):
        fail(config, "the loss depends on the order of rows", "treat every row alike")
    _check_gradient(config, objective, logits, targets, "ordinary logits")
    _check_gradient(config, objective, logits.sign() * LARGE, targets, f"logits of {LARGE:,.0f}")
    _check_gradient(config, objective, logits, _unlabelled(targets), "rows without any known label")


def _example(config: ObjectiveConfig, task: Task) -> tuple[Tensor, Targets]:
    """Return logits and targets; teacher logits only where the objective says that it needs them."""
    generator = torch.Generator().manual_seed(SEED)
    labels = torch.from_numpy(labelled(task, TEXTS).labels)
    shape = (len(labels), task.num_labels)
    logits, teacher = (3 * torch.randn(shape, generator=generator) for _ in range(2))
    return logits, Targets(labels, teacher if config.needs_soft_targets else None)


def _rows(targets: Targets, rows: slice) -> Targets:
    places = list(range(len(targets.labels)))[rows]
    teacher = targets.teacher_logits
    return Targets(targets.labels[places], None if teacher is None else teacher[places])


def _unlabelled(targets: Targets) -> Targets:
    unknown = float("nan") if targets.labels.is_floating_point() else -1
    return Targets(torch.full_like(targets.labels, unknown), targets.teacher_logits)


def _terms(
    config: ObjectiveConfig, objective: Objective, logits: Tensor, targets: Targets
) -> Mapping[str, Any]:
    try:
        return objective(logits, targets)
    except Exception as error:
        without = (
            "" if config.needs_soft_targets else " (needs_soft_targets is false, so teacher_logits is None)"
        )
        message = f"{name_of(config)}: it failed on a batch{without}: {type(error).__name__}: {error}"
        raise AssertionError(message) from error


def _loss(config: ObjectiveConfig, objective: Objective, logits: Tensor, targets: Targets) -> Tensor:
    terms = _terms(config, objective, logits, targets)
    if "loss" not in terms:
        fail(config, f"it gave the terms {', '.join(terms) or 'none'}", "call the one to minimise `loss`")
    for name, value in terms.items():
        if not isinstance(value, torch.Tensor) or value.shape != () or value.dtype != torch.float32:
            fail(config, f"the term {name} is no float32 scalar", "sum over rows and labels, in float32")
    found: Tensor = terms["loss"]
    return found


def _check_gradient(
    config: ObjectiveConfig, objective: Objective, logits: Tensor, targets: Targets, when: str
) -> None:
    logits = logits.clone().requires_grad_()
    loss = _loss(config, objective, logits, targets)
    if not loss.requires_grad:
        fail(
            config, "no gradient reaches the student's logits", "compute the loss from them without detaching"
        )
    loss.backward()  # type: ignore[no-untyped-call]
    if not (
        bool(torch.isfinite(loss)) and logits.grad is not None and bool(torch.isfinite(logits.grad).all())
    ):
        remedy = "mask unknown labels (NaN, -1), and use logsigmoid or log_softmax instead of log"
        fail(config, f"its loss or gradient is not finite for {when}", remedy)

"""Checks of students and teachers: what distill relies on, each with the usual mistake and its remedy."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch

from distill.contracts import Task
from distill.errors import told
from distill.testing.examples import LABEL_NAMES, SEED, TEXTS, context_for, labelled
from distill.testing.failures import fail, name_of
from distill.testing.folders import check_export, check_saved
from distill.testing.networks import check_answers, check_batch_mates, check_gradients

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distill.config.base import ModelConfig, StudentConfig, TeacherConfig
    from distill.contracts import BuildContext, TaskKind, TextClassifier

KINDS: tuple[TaskKind, ...] = ("multi_label", "single_label")


def check_student(
    config: StudentConfig,
    *,
    texts: Sequence[str] = TEXTS,
    label_names: Sequence[str] = LABEL_NAMES,
    base_folder: Path = Path(),
    teacher_folder: Path | None = None,
) -> None:
    """Check all that distill relies on, for several labels and for one class of several.

    Args:
        config: the student's config.
        texts: what it may learn a vocabulary from, of different lengths.
        label_names: what it is to predict.
        base_folder: where relative paths in the config start.
        teacher_folder: a trained teacher's model folder, for a config that needs one.

    Raises:
        AssertionError: says what is wrong and how to mend it.
    """
    if config.needs_teacher and teacher_folder is None:
        fail(config, "it needs a trained teacher", "pass check_student a teacher_folder")
    for kind in KINDS:
        task = Task(kind, tuple(label_names))
        with TemporaryDirectory() as folder:
            context = context_for(task, texts, Path(folder), base_folder, teacher_folder)
            _check(config, context, partial(config.build, context), is_trained=True)


def check_teacher(
    config: TeacherConfig,
    *,
    texts: Sequence[str] = TEXTS,
    label_names: Sequence[str] = LABEL_NAMES,
    base_folder: Path = Path(),
) -> None:
    """Check all that distill relies on, for several labels and for one class of several.

    Args:
        config: the teacher's config; one that is fitted in closed form is fitted to made-up labels.
        texts: what it may learn from, of different lengths.
        label_names: what it is to predict; with `fine_tune: false`, the labels of its head.
        base_folder: where relative paths in the config start.

    Raises:
        AssertionError: says what is wrong and how to mend it.
    """
    for kind in KINDS:
        task = Task(kind, tuple(label_names))
        with TemporaryDirectory() as folder:
            context = context_for(task, texts, Path(folder), base_folder)
            if config.fits_in_closed_form:
                split = labelled(task, texts)
                _check(config, context, partial(config.fit, context, split, split), is_trained=False)
            else:
                _check(config, context, partial(config.build, context), is_trained=True)


def _check(
    config: ModelConfig, context: BuildContext, make: Callable[[], TextClassifier], *, is_trained: bool
) -> None:
    classifier = _made(config, make)
    texts = context.texts
    _check_tokenizer(config, classifier, texts)
    check_answers(config, classifier, context.task, texts)
    check_batch_mates(config, classifier, texts)
    _check_same_seed(config, classifier, make)
    if is_trained:
        check_gradients(config, classifier, texts)
    with TemporaryDirectory() as folder:
        check_saved(config, classifier, context.task, texts, Path(folder))
        if context.task.kind == KINDS[0]:  # the graph does not know of tasks
            check_export(config, classifier, texts, Path(folder))


def _made(config: ModelConfig, make: Callable[[], TextClassifier]) -> TextClassifier:
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        try:
            return make()
        except Exception as error:
            raise AssertionError(f"{name_of(config)}: it cannot be built: {told(error)}") from error


def _check_tokenizer(config: ModelConfig, classifier: TextClassifier, texts: Sequence[str]) -> None:
    tokenizer = classifier.tokenizer
    encodings = tokenizer.encode(texts)
    if len(encodings) != len(texts):
        fail(config, f"encode() gave {len(encodings)} encodings for {len(texts)} texts", "give one for each")
    for text, encoding in zip(texts, encodings, strict=True):
        if set(encoding) != set(tokenizer.input_names):
            found, named = ", ".join(sorted(encoding)), ", ".join(tokenizer.input_names)
            fail(config, f"encode() gave {found}, but input_names says {named}", "let them agree")
        if not all(len(array) for array in encoding.values()):
            fail(
                config, f"encode() gave nothing for {text!r}", "give an unknown token where nothing is known"
            )


def _check_same_seed(
    config: ModelConfig, classifier: TextClassifier, make: Callable[[], TextClassifier]
) -> None:
    first, second = classifier.network.state_dict(), _made(config, make).network.state_dict()
    differing = [name for name in first if name not in second or not torch.equal(first[name], second[name])]
    if differing:
        remedy = "draw weights from torch's global generator, which distill seeds, and iterate over no set"
        fail(config, f"two builds from the same seed differ in {differing[0]}", remedy)

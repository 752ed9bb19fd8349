"""Checks of students and teachers: what distill relies on, each with the usual mistake and its remedy."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

import torch

from distill.contracts import Task
from distill.errors import DistillError, ModelError, told
from distill.export import export_onnx
from distill.inference import check_logits
from distill.model_folder import WEIGHTS, load_weights, save_weights
from distill.testing.examples import LABEL_NAMES, SEED, TEXTS, context_for, labelled
from distill.tokenizer import collate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from distill.config.base import ModelConfig, StudentConfig, TeacherConfig
    from distill.contracts import BuildContext, TaskKind, TextClassifier

TOLERANCE = 1e-5
"""The largest difference that rounding may make, as a share of the largest logit, or of 1."""
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
        _fail(config, "it needs a trained teacher", "pass check_student a teacher_folder")
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
    _check_logits(config, classifier, context.task, texts)
    _check_batch_mates(config, classifier, texts)
    _check_same_seed(config, classifier, make)
    if is_trained:
        _check_gradients(config, classifier, texts)
    with TemporaryDirectory() as folder:
        _check_saved(config, classifier, context.task, texts, Path(folder))
        if context.task.kind == KINDS[0]:  # the graph does not know of tasks
            _check_export(config, classifier, texts, Path(folder))


def _made(config: ModelConfig, make: Callable[[], TextClassifier]) -> TextClassifier:
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        try:
            return make()
        except Exception as error:
            raise AssertionError(f"{_name(config)}: it cannot be built: {told(error)}") from error


def _check_tokenizer(config: ModelConfig, classifier: TextClassifier, texts: Sequence[str]) -> None:
    tokenizer = classifier.tokenizer
    encodings = tokenizer.encode(texts)
    if len(encodings) != len(texts):
        _fail(config, f"encode() gave {len(encodings)} encodings for {len(texts)} texts", "give one for each")
    for text, encoding in zip(texts, encodings, strict=True):
        if set(encoding) != set(tokenizer.input_names):
            found, named = ", ".join(sorted(encoding)), ", ".join(tokenizer.input_names)
            _fail(config, f"encode() gave {found}, but input_names says {named}", "let them agree")
        if not all(len(array) for array in encoding.values()):
            _fail(
                config, f"encode() gave nothing for {text!r}", "give an unknown token where nothing is known"
            )


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
            f"{_name(config)}: forward() failed on {len(texts)} texts: {told(error)}; "
            f"it is called by name with {takes}, each a tensor [texts, tokens, ...]"
        ) from error
    return logits


def _answers(config: ModelConfig, classifier: TextClassifier, texts: Sequence[str]) -> Tensor:
    """Return the logits of one padded batch in evaluation mode."""
    classifier.network.eval()
    with torch.no_grad():
        return _logits(config, classifier, texts)


def _check_logits(config: ModelConfig, classifier: TextClassifier, task: Task, texts: Sequence[str]) -> None:
    for some in (texts, texts[:1]):
        logits = _answers(config, classifier, some)
        try:
            check_logits(logits, len(some), task)
        except ModelError as error:
            raise AssertionError(f"{_name(config)}: {error}") from error
        if logits.dtype != torch.float32:
            _fail(config, f"forward() gave {logits.dtype}", "return float32 logits")
        if not bool(torch.isfinite(logits).all()):
            _fail(
                config, "forward() gave logits that are not finite", "look for a division by 0 or a log of 0"
            )


def _check_batch_mates(config: ModelConfig, classifier: TextClassifier, texts: Sequence[str]) -> None:
    together = _answers(config, classifier, texts)
    if not torch.equal(together, _answers(config, classifier, texts)):
        remedy = "draw nothing at random in evaluation mode (dropout only where self.training)"
        _fail(config, "the same batch gets other logits the second time", remedy)
    alone = torch.cat([_answers(config, classifier, [text]) for text in texts])
    row = int((together - alone).abs().amax(1).argmax())
    difference = _difference(together, alone)
    if difference > TOLERANCE:
        remedy = (
            "let padding count for nothing wherever forward() sums, averages or takes a maximum over tokens"
        )
        _fail(config, f"the logits of {texts[row]!r} change by {difference:.1e} with its batch mates", remedy)


def _check_same_seed(
    config: ModelConfig, classifier: TextClassifier, make: Callable[[], TextClassifier]
) -> None:
    first, second = classifier.network.state_dict(), _made(config, make).network.state_dict()
    differing = [name for name in first if name not in second or not torch.equal(first[name], second[name])]
    if differing:
        remedy = "draw weights from torch's global generator, which distill seeds, and iterate over no set"
        _fail(config, f"two builds from the same seed differ in {differing[0]}", remedy)


def _check_gradients(config: ModelConfig, classifier: TextClassifier, texts: Sequence[str]) -> None:
    network = classifier.network.train()
    trained = {name: found for name, found in network.named_parameters() if found.requires_grad}
    if not trained:
        _fail(config, "it has no parameter to train", "make at least the output layer's trainable")
    network.zero_grad()
    logits = _logits(config, classifier, texts)
    if not logits.requires_grad:
        _fail(config, "no gradient leaves the logits", "neither detach them nor compute them under no_grad")
    (logits * torch.linspace(-1, 1, logits.numel()).reshape(logits.shape)).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in trained.items():
        if parameter.grad is None:
            remedy = "use it in forward(), or set requires_grad to False"
            _fail(config, f"no gradient reaches {name}", remedy)
        if not bool(torch.isfinite(parameter.grad).all()):
            _fail(
                config, f"the gradient of {name} is not finite", "look for 0/0, the root of 0 or a log of 0"
            )
    network.zero_grad()


def _check_saved(
    config: ModelConfig, classifier: TextClassifier, task: Task, texts: Sequence[str], folder: Path
) -> None:
    remedy = "override save() together with load_tokenizer() and load_network()"
    try:
        written = json.dumps(config.portable())
        config.save(classifier, folder)
        save_weights(classifier.network, folder / WEIGHTS)
        read = type(config).model_validate(json.loads(written))
        tokenizer = read.load_tokenizer(folder)
        network = read.load_network(folder, tokenizer, task)
        load_weights(network, folder / WEIGHTS)
    except Exception as error:
        message = f"{_name(config)}: it cannot be saved and loaded again: {told(error)}; {remedy}"
        raise AssertionError(message) from error
    again = _answers(config, type(classifier)(tokenizer, network), texts)
    difference = _difference(_answers(config, classifier, texts), again)
    if difference > 0:
        hint = "all that forward() uses must be in config, tokenizer, parameters or buffers"
        _fail(config, f"its logits differ by {difference:.1e} after saving and loading", hint)


def _check_export(
    config: ModelConfig, classifier: TextClassifier, texts: Sequence[str], folder: Path
) -> None:
    try:
        export_onnx(classifier, folder / "model.onnx", texts)
    except DistillError as error:
        remedy = (
            "write forward() in tensor operations, without Python numbers or branches taken from its inputs"
        )
        raise AssertionError(f"{_name(config)}: {error}; {remedy}") from error


def _difference(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max() / max(1.0, float(first.abs().max())))


def _fail(config: ModelConfig, found: str, remedy: str) -> NoReturn:
    raise AssertionError(f"{_name(config)}: {found}; {remedy}")


def _name(config: ModelConfig) -> str:
    return type(config).__name__

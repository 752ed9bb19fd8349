"""What all parties agree on: the task, a classifier, what a component is built from, and who is told about it.

Everything here is free of torch, so that `distill validate` and `distill plan` answer at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

    Array: TypeAlias = npt.NDArray[Any]
    FloatArray: TypeAlias = npt.NDArray[np.float32]

TaskKind: TypeAlias = Literal["multi_label", "single_label"]

Encoding: TypeAlias = "Mapping[str, Array]"
"""One tokenised text: input name -> array whose first dimension is the text's length in tokens."""

Batch: TypeAlias = "dict[str, Array]"
"""Several tokenised texts, padded: input name -> array of shape [texts, tokens, ...]."""


@dataclass(frozen=True)
class Task:
    """What is to be predicted: independent labels, or one class of several."""

    kind: TaskKind
    label_names: tuple[str, ...]

    @property
    def num_labels(self) -> int:
        """The number of logits that a classifier gives for a text."""
        return len(self.label_names)


@runtime_checkable
class Tokenizer(Protocol):
    """Turns raw text into the arrays that one network's `forward` takes, by name."""

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the arrays, in the order in which an exported graph takes them."""

    @property
    def pad_values(self) -> Mapping[str, float]:
        """What fills up the shorter texts of a batch, for each input; 0 where an input is not named."""

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Tokenise each text on its own, truncated to the model's maximum length; never an empty encoding."""

    def statistics(self, texts: Sequence[str]) -> TokenStatistics:
        """Count tokens, unknown tokens and truncated texts."""

    def save(self, folder: Path) -> None:
        """Write what `load_tokenizer` of the model's config reads back. No pickle."""


@dataclass(frozen=True)
class TokenStatistics:
    """How well a tokenizer covers a list of texts."""

    texts: int
    tokens: int
    unknown_tokens: int
    truncated_texts: int
    note: str = ""
    """What a reader of these figures should know of the tokenizer, in one line for the model card."""

    @property
    def out_of_vocabulary_rate(self) -> float:
        """Share of tokens that the vocabulary does not hold (before any subword fallback)."""
        return self.unknown_tokens / self.tokens if self.tokens else 0.0

    @property
    def truncation_rate(self) -> float:
        """Share of texts that were cut to the maximum length."""
        return self.truncated_texts / self.texts if self.texts else 0.0


@dataclass
class TextClassifier:
    """A tokenizer and the network that reads its arrays.

    `network.forward(**batch)` takes one tensor for each of the tokenizer's `input_names`, each of shape
    [B, L, ...], and returns logits of shape [B, num_labels]. Padding must not change a text's logits.
    """

    tokenizer: Tokenizer
    network: nn.Module


@dataclass(frozen=True)
class BuildContext:
    """What a component may know of the experiment but not ask of the YAML."""

    task: Task
    texts: Sequence[str]
    """All texts that a student may read without labels: train, then the transfer set."""
    seed: int
    base_folder: Path
    """The folder of the experiment file; relative paths in a config start there."""
    memo: Memo
    """Keeps what is costly and the same for several runs, such as word vectors, in the store."""
    teacher_folder: Path | None = None
    """The trained teacher's model folder, for a config whose `needs_teacher` is true."""


class Memo(Protocol):
    """A side result of building a model, computed once for equal names, settings and texts."""

    def __call__(self, name: str, settings: Mapping[str, Any], produce: Callable[[Path], None]) -> Path:
        """Return a folder that `produce` has filled, now or in an earlier run.

        Args:
            name: what the folder holds, for people.
            settings: everything that changes it, but for the texts, which the caller of `build` adds.
            produce: fills an empty folder.
        """


@dataclass(frozen=True)
class Targets:
    """What a batch of B texts is to be taught, as tensors.

    `labels` is float [B, C] with NaN where unknown (multi-label), or int64 [B] with -1 where unknown
    (single-label). `teacher_logits` is float32 [B, C], or None where no objective asked for it.
    """

    labels: Any
    teacher_logits: Any | None = None


class Objective(Protocol):
    """A loss for a batch. Sums over rows, so that the caller can divide by the rows of the whole step."""

    def __call__(self, student_logits: Any, targets: Targets) -> Mapping[str, Any]:
        """Return named terms, each a float32 scalar summed over rows; `loss` is the one to minimise."""


class RunLog(Protocol):
    """Where one run's figures go: the run's own journal and, where there is one, its dashboard."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record values at an optimiser step."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """Record what is final for the run."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Record a table."""

    def picture(self, name: str, path: Path, kept_as: Path | None = None) -> None:
        """Record a picture or a page (PNG or HTML); `kept_as` is where it will lie later, if not at `path`."""

    def rewind(self, step: int) -> None:
        """Go on from a checkpoint: forget what was recorded after that step, since it will be recorded again."""


class BoxLog(RunLog, Protocol):
    """The run of a box of the flow, as the flow sees it: steps begin and end, results are published."""

    def artifact(self, artifact: Artifact) -> None:
        """Publish something."""

    def mark(self, key: str) -> None:
        """Record that a step has recorded all that it had to say."""

    def go_on(self, done: Collection[str]) -> None:
        """Go on after steps that are done: forget what others have recorded, since it will be recorded again."""


@dataclass(frozen=True)
class Artifact:
    """Something to publish, with where it came from. A folder stays as it is and where it is."""

    name: str
    type: str
    folder: Path | None = None
    documents: Mapping[str, Any] = field(default_factory=dict)
    """File name -> content, written as JSON: where there is no folder, or beside it."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    """What it was made from, as `name:alias`."""


@dataclass(frozen=True)
class Recorded:
    """What earlier processes have recorded of a run."""

    finished: bool = False
    marks: frozenset[str] = frozenset()
    """Keys of the steps that have recorded all that they had to say."""
    published: frozenset[str] = frozenset()
    """Fingerprints of the results that were published."""


@dataclass(frozen=True)
class RunFacts:
    """What a run is."""

    name: str
    """As `textcnn/kd/seed0`."""
    job_type: str
    """The box of the flow, as `student`."""
    key: str
    """The fingerprint of what the run makes; the same key continues the same run."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The resolved configuration."""


class Tracker(Protocol):
    """Opens a run for each box of the flow."""

    def run(self, facts: RunFacts, *, live: bool = True) -> AbstractContextManager[BoxLog]:
        """Open a run.

        Args:
            facts: what it is.
            live: whether its dashboard is to be seen while it runs; else all is sent by `close`.
        """

    def recorded(self, facts: RunFacts) -> Recorded:
        """Return what is recorded of a run already."""

    def close(self) -> str:
        """Send what was not; return what the user should know, such as how to send it later, or nothing."""

    def address(self) -> str:
        """Return where the experiment's runs are to be seen, or nothing if they have never been sent."""


class Shared(Protocol):
    """Results that other machines have published."""

    def fill(self, name: str, key: str, result: Path, scratch: Path) -> bool:
        """Fill an empty folder with a published result, if there is one.

        Args:
            name: what it is published as.
            key: its fingerprint.
            result: the folder.
            scratch: a folder on the same disk.

        Returns:
            Whether the folder is filled; if not, it is empty still.
        """

    def log_of(self, key: str) -> BoxLog | None:
        """Return a log that goes nowhere for a result that came from elsewhere: its run is told there."""


class Progress(Protocol):
    """Is told what runs and how much of it is left. Only the command line prints."""

    def stage(self, stage: str, name: str, *, cached: bool) -> None:
        """A step of the plan begins, or was found in the store."""

    def advance(self, done: int, total: int, note: str = "") -> None:
        """The step that runs has done so much."""

    def note(self, text: str) -> None:
        """Something that the user should know, such as a damaged cache entry that is recomputed."""


@dataclass(frozen=True)
class Workbench:
    """What every stage gets to work with."""

    result: Path
    """An empty folder, renamed into the store when the stage returns."""
    scratch: Path
    """A folder that survives a kill, for checkpoints; removed once the result is in place."""
    log: RunLog
    progress: Progress

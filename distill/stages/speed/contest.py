"""Models take turns, block by block, so that what slows the machine for a while slows all of them."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from distill.custom_code import named
from distill.stages.speed.disturbance import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distill.config.base import ModelConfig
    from distill.contracts import Progress
    from distill.inference import Predictor

Backend = Literal["onnx", "torch"]

MOST_REPEATS = 2
"""How often a disturbed block is run again."""
REPEAT_SHARE = 0.25
"""Repetitions take at most this share of the time that all blocks took: busy machines stay busy."""

TOKENIZERS = "TOKENIZERS_PARALLELISM"
"""Read by `tokenizers` on every call: whether a list of texts is spread over all processors."""


@dataclass
class Block:
    """Some texts that one contestant reads. `batch_size` None is single stream: one text after the other."""

    texts: Sequence[str]
    batch_size: int | None
    seconds: list[float] = field(default_factory=list)
    """For each text (single stream), or for all of them (offline)."""
    disturbed: bool = False
    repeated: int = 0

    def run(self, model: Predictor) -> None:
        """Time the block; a repetition replaces what was measured before."""
        requests = [list(self.texts)] if self.batch_size else [[text] for text in self.texts]
        size, start, self.seconds = self.batch_size or 1, Moment.now(), []
        for request in requests:
            begin = time.perf_counter()
            model.predict_proba(request, batch_size=size)
            self.seconds.append(time.perf_counter() - begin)
        self.disturbed = start.disturbed(Moment.now())


@dataclass
class Contestant:
    """A model in one backend, with its blocks."""

    name: str
    backend: Backend
    model: Predictor
    blocks: list[Block] = field(default_factory=list)
    configs: tuple[ModelConfig, ...] = ()
    """What the model is made from: it may be a user's own code."""

    def warm_up(self) -> None:
        """Predict once without the clock: first calls allocate.

        Raises:
            ModelError: the model's user's code failed.
        """
        with named(f"speed of {self.name}", *self.configs):
            self.model.predict_proba(self.blocks[0].texts)

    def run(self, block: Block) -> None:
        """Time one of the blocks.

        Raises:
            ModelError: the model's user's code failed.
        """
        with named(f"speed of {self.name}", *self.configs):
            block.run(self.model)

    @property
    def counted(self) -> list[Block]:
        """The undisturbed blocks of each kind, or all of a kind where most were disturbed."""
        kinds = {block.batch_size for block in self.blocks}
        return [block for kind in kinds for block in self._counted(kind)]

    def _counted(self, batch_size: int | None) -> list[Block]:
        blocks = [block for block in self.blocks if block.batch_size == batch_size]
        clean = [block for block in blocks if not block.disturbed]
        return clean if 2 * len(clean) >= len(blocks) else blocks


def hold(contestants: Sequence[Contestant], progress: Progress) -> None:
    """Let all run their blocks, A B A B; then repeat those that were disturbed, while time allows.

    Args:
        contestants: who runs; those with fewer blocks than others are done earlier.
        progress: is told how many blocks are done.

    Raises:
        ModelError: a model's user's code failed.
    """
    for contestant in contestants:
        contestant.warm_up()
    turns = list(zip_longest(*(contestant.blocks for contestant in contestants)))
    start = time.perf_counter()
    for done, turn in enumerate(turns):
        progress.advance(done, len(turns))
        for contestant, block in zip(contestants, turn, strict=True):
            if block is not None:
                contestant.run(block)
    end = time.perf_counter()
    _repeat_disturbed(contestants, until=end + REPEAT_SHARE * (end - start))


def _repeat_disturbed(contestants: Sequence[Contestant], until: float) -> None:
    for _ in range(MOST_REPEATS):
        for contestant in contestants:
            for block in contestant.blocks:
                if block.disturbed and time.perf_counter() < until:
                    block.repeated += 1
                    contestant.run(block)


@contextmanager
def threads_limited_to(threads: int) -> Iterator[None]:
    """Give torch, BLAS and OpenMP so many threads, and tokenizers one thread or all; restore afterwards."""
    import torch
    from threadpoolctl import threadpool_limits

    before, parallelism = torch.get_num_threads(), os.environ.get(TOKENIZERS)
    torch.set_num_threads(threads)
    os.environ[TOKENIZERS] = "false" if threads == 1 else "true"
    try:
        with threadpool_limits(limits=threads):
            yield
    finally:
        torch.set_num_threads(before)
        if parallelism is None:
            del os.environ[TOKENIZERS]
        else:
            os.environ[TOKENIZERS] = parallelism

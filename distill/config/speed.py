"""The `speed` section of an experiment file: how models are timed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from distill.config.base import Config


class SpeedConfig(Config):
    """Raw text to probabilities, every model in turn, block after block."""

    batch_sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field((1, 32), min_length=1)
    """Texts at once for throughput; the best one is reported."""
    threads: int = Field(1, ge=1)
    """Processor threads of every model."""
    texts: int = Field(200, ge=1)
    """Texts of test that are timed, the first of a fixed shuffle."""
    rounds: int = Field(2, ge=1)
    """How often each model reads them all in ONNX Runtime; in eager PyTorch once."""
    block: int = Field(25, ge=1)
    """Texts that a model reads before it is the next one's turn."""

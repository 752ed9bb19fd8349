"""How and on what a network is trained: what every stage that trains hands on to `fit`."""

from __future__ import annotations

from dataclasses import dataclass

from distill.config.base import TrainingConfig
from distill.hardware import Hardware


@dataclass(frozen=True)
class Recipe:
    """Settings as they were resolved for one model on this machine."""

    settings: TrainingConfig
    """Batch size, learning rate and so on."""
    precision: str
    """`fp32`, or `bf16` (autocast)."""
    hardware: Hardware
    """Device and threads."""
    checkpoint_seconds: float = 30.0
    """Seconds between two checkpoints; changes no figure."""

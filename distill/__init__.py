"""Distil a text classifier, and prove what it was worth.

The flow, a file of `distill.stages` for each box:

    data -> teacher -> soft_targets -> student -> evaluation -> speed -> frontier -> artifacts
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distill.inference import load_student as load_student

__all__ = ["load_student"]


def __getattr__(name: str) -> Any:
    """Import the public functions on first use, so that the command line starts quickly."""
    if name == "load_student":
        from distill.inference import load_student

        return load_student
    raise AttributeError(f"module 'distill' has no attribute '{name}'")

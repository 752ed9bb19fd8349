"""How a check fails: which class, what was found, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from distill.config.base import ModelConfig, ObjectiveConfig


def fail(config: ModelConfig | ObjectiveConfig, found: str, remedy: str) -> NoReturn:
    """Raise the AssertionError of a check."""
    raise AssertionError(f"{name_of(config)}: {found}; {remedy}")


def name_of(config: ModelConfig | ObjectiveConfig) -> str:
    """Return the name of the class under test."""
    return type(config).__name__

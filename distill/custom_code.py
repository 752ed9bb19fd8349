"""What goes wrong inside a user's own class, told in one line: which model, what, and where in the user's file."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from distill.config.base import ModelConfig, ObjectiveConfig
from distill.config.schema import OBJECTIVES, STUDENTS, TEACHERS
from distill.errors import DistillError, ModelError, told


@contextmanager
def named(model: str, *configs: ModelConfig | ObjectiveConfig) -> Iterator[None]:
    """Say of which model an error speaks, and where in a user's own code it comes from.

    Args:
        model: the model's name, as `student textcnn/kd/seed0`.
        configs: what it is made from.

    Raises:
        ModelError: the model is not what it should be, or its user's code failed.
    """
    with traced(model, *configs):
        try:
            yield
        except ModelError as error:
            raise ModelError(f"{model}: {error}") from error


@contextmanager
def traced(model: str, *configs: ModelConfig | ObjectiveConfig) -> Iterator[None]:
    """Say where in a user's own code an error comes from; errors of distill pass, since they say what they speak of.

    What a class of distill's own raises by mistake is ours to mend, and passes with its traceback.

    Args:
        model: the model's name or its folder.
        configs: what it is made from.

    Raises:
        ModelError: the user's code failed.
    """
    try:
        yield
    except DistillError:
        raise
    except Exception as error:
        packages = {_package(type(config).__module__) for config in configs if _is_custom(config)}
        place = _place(error, packages)
        if place is not None:
            message = f"{told(error)} ({place}); the checks in distill.testing tell more"
        elif packages and isinstance(error, NotImplementedError):
            message = str(error)  # a method that a config class must define
        else:
            raise
        raise ModelError(f"{model}: {message}") from error


def _is_custom(config: ModelConfig | ObjectiveConfig) -> bool:
    return not any(registry.is_built_in(config.kind) for registry in (STUDENTS, TEACHERS, OBJECTIVES))


def _place(error: Exception, packages: set[str]) -> str | None:
    """Return the innermost place of a traceback that lies in one of these packages, as file:line, in function."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if _package(frame.f_globals.get("__name__", "")) in packages:
            return f"{frame.f_code.co_filename}:{line}, in {frame.f_code.co_name}"
    return None


def _package(module: str) -> str:
    return module.partition(".")[0]

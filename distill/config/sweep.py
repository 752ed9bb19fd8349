"""The section `sweep`: which values of which keys are tried, and by what the best is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from distill.config.base import Config
from distill.config.errors import error_at, ready


def _number(value: Any) -> Any:
    """Check by hand: a union of whole and other numbers would complain twice, and takes `true` for 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ready(f"must be a number, got {value!r}")
    return value


Number = Annotated[int | float, BeforeValidator(_number)]


class RangeConfig(Config):
    """All numbers between two, both included; whole numbers where both ends are whole."""

    min: Number
    max: Number
    scale: Literal["linear", "log"] = "linear"
    """`log` tries as many values between 0.001 and 0.01 as between 0.01 and 0.1."""

    @model_validator(mode="after")
    def _has_an_inside(self) -> RangeConfig:
        if self.min >= self.max:
            raise ready(f"min must be less than max, got {self.min} and {self.max}")
        if self.scale == "log" and self.min <= 0:
            raise error_at(("min",), f"must be greater than 0 with scale: log, got {self.min}", self.min)
        return self

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.min, int) and isinstance(self.max, int)


def _values_or_range(value: Any) -> Any:
    """Tell apart by hand, since a union would complain once for each of its members."""
    if isinstance(value, dict):
        return RangeConfig.model_validate(value)
    if isinstance(value, list | tuple):
        if not value:
            raise ready("must not be empty")
        return tuple(value)
    if isinstance(value, RangeConfig):
        return value
    raise ready(f"must be a list of values, or a range such as {{min: 1, max: 8}}, got {value!r}")


def _validation(value: Any) -> Any:
    if value != "validation":
        raise ready(f"must be 'validation': what test has chosen, test can no longer judge; got {value!r}")
    return value


Parameter = Annotated[tuple[JsonValue, ...] | RangeConfig, BeforeValidator(_values_or_range)]


class SweepConfig(Config):
    """A search over settings of the students, by agents that share one teacher. See docs/sweep.md."""

    method: Literal["grid", "random", "bayes"] = "grid"
    """`grid` tries every combination; `random` and `bayes` take ranges too, and need `runs`."""
    metric: Annotated[Literal["validation"], BeforeValidator(_validation)] = "validation"
    """What is maximised: the selection metric on validation, the mean over seeds of the best student."""
    runs: int | None = Field(None, ge=1)
    """How many settings are tried at most."""
    student: str | None = None
    """Whose metric counts; null takes the best of all students."""
    objective: str | None = None
    """By which objective; null takes the best of those that listen to the teacher."""
    parameters: Mapping[str, Parameter] = Field(min_length=1)
    """Path, as after `--set`, to a list of values or a range `{min, max, scale}`."""

    @model_validator(mode="after")
    def _method_can_do_it(self) -> SweepConfig:
        if self.method == "grid":
            for path, parameter in self.parameters.items():
                if isinstance(parameter, RangeConfig):
                    message = "a range goes with method random or bayes; a grid needs a list of values"
                    raise error_at(("parameters", path), message, parameter)
        elif self.runs is None:
            message = f"required key is missing: {self.method} never ends by itself"
            raise error_at(("runs",), message, None)
        return self

    def exactly(self, path: str, value: Any) -> Any:
        """Return a value as the range means it: some methods hand out 12.0 where 12 is meant."""
        parameter = self.parameters.get(path)
        whole = isinstance(parameter, RangeConfig) and parameter.is_whole
        return round(value) if whole and isinstance(value, float) else value

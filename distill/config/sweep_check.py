"""Tries every value of a sweep when the file is read, so that no agent meets a mistake hours later."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from distill.config.errors import dotted, explain, without_consequences
from distill.config.overrides import Override
from distill.config.schema import Experiment
from distill.config.sweep import RangeConfig
from distill.errors import ConfigError

_REFUSED = {
    "name": "agents find each other's results under it",
    "data": "agents share one data set; write an experiment file for each",
    "teacher": "agents share one teacher; write an experiment file for each",
    "runtime": "it says how one machine computes; give it to `distill sweep` with --set",
    "sweep": "a sweep cannot change itself",
}


def mistakes_of_sweep(
    experiment: Experiment, plain: Mapping[str, Any], context: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield each path of the experiment's sweep that cannot be used, and why.

    Args:
        experiment: the experiment without the sweep's values.
        plain: what it was read from.
        context: what validation is told.
    """
    if experiment.sweep is None:
        return
    for path, parameter in experiment.sweep.parameters.items():
        root = path.partition(".")[0]
        if root in _REFUSED:
            yield path, f"'{root}' cannot be swept: {_REFUSED[root]}"
            continue
        ends = (parameter.min, parameter.max) if isinstance(parameter, RangeConfig) else parameter
        found = {
            message: None for value in ends for message in _tried(experiment, plain, context, path, value)
        }
        for message in found:
            yield path, message


def _tried(
    experiment: Experiment, plain: Mapping[str, Any], context: Mapping[str, Any], path: str, value: Any
) -> Iterator[str]:
    """Yield what is wrong with one value."""
    override = Override(tuple(path.split(".")), value)
    tree = copy.deepcopy({key: part for key, part in plain.items() if key != "sweep"})
    try:
        override.apply(tree)
        changed = Experiment.model_validate(tree, context=dict(context))
    except ConfigError as error:
        yield str(error)
    except ValidationError as error:
        for found in without_consequences(error.errors()):
            place = "" if found["loc"] == override.path else f"{dotted(found['loc'])}: "
            yield place + explain(found)
    else:
        if _teaching(changed) != _teaching(experiment):
            yield (
                "would change the teacher's training too, and agents share one teacher; "
                f"sweep students.NAME.{path}, or set teacher.{path}"
            )


def _teaching(experiment: Experiment) -> Any:
    """Return how the teacher is trained, if it is."""
    teacher = experiment.teacher
    return experiment.training_of(teacher) if teacher.is_trained else None

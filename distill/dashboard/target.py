"""Which experiment is meant: an experiment file, a name, or a name with its entity and project."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from distill.config.schema import WandbConfig
from distill.errors import ConfigError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""What an experiment can be called. Nothing in it has a meaning in wandb's filters."""


@dataclass(frozen=True)
class Target:
    """An experiment in wandb."""

    experiment: str
    project: str
    entity: str | None
    """None is the user's default."""


def find_target(text: str) -> Target:
    """Return the experiment that is meant.

    Args:
        text: a YAML file, `NAME` or `ENTITY/PROJECT/NAME`.

    Raises:
        ConfigError: it is none of these, or the file does not say what can be run.
    """
    if text.endswith((".yaml", ".yml")):
        from distill.config.loading import load_experiment

        experiment = load_experiment(Path(text)).experiment
        place = experiment.runtime.wandb
        return Target(experiment.name, place.project, place.entity)
    parts = text.split("/")
    if len(parts) not in {1, 3} or not all(parts) or not NAME.fullmatch(parts[-1]):
        raise ConfigError(
            f"'{text}': expected an experiment file (.yaml), the name of an experiment, or ENTITY/PROJECT/NAME"
        )
    if len(parts) == 1:
        return Target(text, WandbConfig().project, None)
    entity, project, name = parts
    return Target(name, project, entity)

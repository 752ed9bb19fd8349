"""A sweep in wandb's words, and the one command that its agents run: nothing but that is run for a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from distill.config.schema import Experiment
from distill.config.sweep import Parameter, RangeConfig, SweepConfig
from distill.errors import TrackingError

METRIC = "validation"
"""The figure by which settings are ranked, in the summary of a sweep's runs."""
PYTHON, EXPERIMENT, STORE = "DISTILL_PYTHON", "DISTILL_EXPERIMENT", "DISTILL_STORE"
"""Environment variables that say on each machine where things are there."""


@dataclass(frozen=True)
class AgentCommand:
    """What the agents of a sweep run for each setting."""

    soft_targets: str
    """The key of the soft targets that all agents share."""
    overrides: tuple[str, ...] = ()
    """What holds for all settings, as after `--set`."""

    def words(self) -> list[str]:
        """Return the command; wandb puts in a machine's variables and, at the end, the setting."""
        module = [_variable(PYTHON), "-m", "distill.cli", "sweep-run"]
        places = [_variable(EXPERIMENT), "--store", _variable(STORE)]
        given = [word for text in self.overrides for word in ("--set", text)]
        return [*module, *places, *given, "--soft-targets", self.soft_targets, "--setting", "${args_json}"]

    @classmethod
    def read(cls, words: Sequence[Any], sweep: str) -> AgentCommand:
        """Return the command of a sweep that is there.

        Raises:
            TrackingError: it is another command; agents run whatever a sweep says, so it is not even tried.
        """
        given = {word: number for number, word in enumerate(words)}
        overrides = [str(word) for before, word in pairwise(words) if before == "--set"]
        place = given.get("--soft-targets", len(words)) + 1
        found = cls(str(words[place]) if place < len(words) else "", tuple(overrides))
        if list(words) != found.words():
            raise TrackingError(
                f"{sweep}: its agents would run another command than distill's own "
                f"({' '.join(map(str, words)) or 'none is given'}); make a sweep with `distill sweep FILE`"
            )
        return found


def wandb_sweep(experiment: Experiment, sweep: SweepConfig, command: AgentCommand) -> dict[str, Any]:
    """Return the configuration that makes the sweep in wandb."""
    found: dict[str, Any] = {
        "name": experiment.name,
        "method": sweep.method,
        "metric": {"name": METRIC, "goal": "maximize"},
        "program": "distill",
        "command": command.words(),
        "parameters": wandb_parameters(sweep),
    }
    return found if sweep.runs is None else {**found, "run_cap": sweep.runs}


def wandb_parameters(sweep: SweepConfig) -> dict[str, Mapping[str, Any]]:
    """Return what is tried of each key."""
    return {path: _parameter(parameter) for path, parameter in sweep.parameters.items()}


def _parameter(parameter: Parameter) -> Mapping[str, Any]:
    if not isinstance(parameter, RangeConfig):
        return {"values": list(parameter)}
    ends = {"min": parameter.min, "max": parameter.max}
    if parameter.scale == "linear":
        return {"distribution": "int_uniform" if parameter.is_whole else "uniform", **ends}
    if parameter.is_whole:
        return {"distribution": "q_log_uniform_values", "q": 1, **ends}
    return {"distribution": "log_uniform_values", **ends}


def _variable(name: str) -> str:
    return f"${{envvar:{name}}}"

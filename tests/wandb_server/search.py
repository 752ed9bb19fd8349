"""How a sweep chooses settings: every combination, or at random."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from wandb_server.state import Refusal


def settings_of(config: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Yield the settings to try, by parameter.

    Raises:
        Refusal: there is no such method.
    """
    parameters = {name: dict(parameter) for name, parameter in (config.get("parameters") or {}).items()}
    if config.get("method") == "grid":
        return _grid(parameters)
    if config.get("method") in {"random", "bayes"}:
        return _random(parameters, random.Random(seed))
    message = f"unknown method {config.get('method')}"
    raise Refusal(message)


def _grid(parameters: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    values = [_values(name, parameter) for name, parameter in parameters.items()]
    return (dict(zip(parameters, chosen, strict=True)) for chosen in itertools.product(*values))


def _values(name: str, parameter: Mapping[str, Any]) -> list[Any]:
    if "value" in parameter:
        return [parameter["value"]]
    if "values" in parameter:
        return list(parameter["values"])
    message = f"{name} has neither value nor values, as a grid needs"
    raise Refusal(message)


def _random(parameters: Mapping[str, Mapping[str, Any]], chance: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        yield {name: _draw(parameter, chance) for name, parameter in parameters.items()}


def _draw(parameter: Mapping[str, Any], chance: random.Random) -> Any:
    if "value" in parameter:
        return parameter["value"]
    if "values" in parameter:
        return chance.choice(parameter["values"])
    lowest, highest = parameter["min"], parameter["max"]
    if "log" in parameter.get("distribution", ""):
        return math.exp(chance.uniform(math.log(lowest), math.log(highest)))
    whole = isinstance(lowest, int) and isinstance(highest, int)
    return chance.randint(lowest, highest) if whole else chance.uniform(lowest, highest)

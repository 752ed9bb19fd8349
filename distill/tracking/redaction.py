"""Keeps secrets out of everything that is written or sent."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "(hidden)"
SECRET_NAME = re.compile(r"(^|_)(api_?key|token|secret|password|passwd|credentials?)$", re.IGNORECASE)
USER_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+@")
SHORTEST_SECRET = 8


def redacted(value: Any) -> Any:
    """Return a configuration without secrets: told by their key's name, the environment or an address."""
    return _redacted(value, _secrets_of_environment())


def _redacted(value: Any, secrets: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: HIDDEN
            if isinstance(inner, str) and SECRET_NAME.search(str(key))
            else _redacted(inner, secrets)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(inner, secrets) for inner in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return USER_IN_ADDRESS.sub("", value)
    return value


def _secrets_of_environment() -> frozenset[str]:
    return frozenset(
        value
        for name, value in os.environ.items()
        if SECRET_NAME.search(name) and len(value) >= SHORTEST_SECRET
    )

"""Pins: a commit or a checksum, in full, so that what they name cannot change."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated

from pydantic import AfterValidator


def _digits(wanted: int, found: str) -> str:
    if not re.fullmatch(f"[0-9a-f]{{{wanted}}}", found):
        raise ValueError(f"must be {wanted} hexadecimal digits, got '{found}'")
    return found


Commit = Annotated[str, AfterValidator(partial(_digits, 40))]
"""A git commit, all 40 digits: branches and tags move."""
Sha256 = Annotated[str, AfterValidator(partial(_digits, 64))]
"""A file's checksum."""

"""Filters and orders as MongoDB writes them: `{"config.seed": {"$in": [0, 1]}}`, `-summary_metrics.loss`."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from wandb_server.state import Refusal

Item = TypeVar("Item")
Look = Callable[[str], Any]
"""Returns the value of a key, or None."""

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def select(
    items: Iterable[Item], look: Callable[[Item, str], Any], filters: str | None, order: str | None
) -> list[Item]:
    """Return the items that match, sorted.

    Args:
        items: what there is.
        look: returns the value of an item's key.
        filters: JSON.
        order: keys with commas between them; one with `-` before it sorts downwards. Without it the order stays.
    """
    wanted = json.loads(filters) if filters else {}
    found = [item for item in items if matches(partial(look, item), wanted)]
    for key in reversed([part.strip() for part in (order or "").split(",") if part.strip()]):
        found = _sorted(found, look, key)
    return found


def matches(look: Look, wanted: Mapping[str, Any]) -> bool:
    """Tell whether all that is wanted holds."""
    return all(_holds(look, key, value) for key, value in wanted.items())


def dig(content: Any, path: str) -> Any:
    """Return the value at a dotted path; a key that itself contains dots comes first."""
    if not isinstance(content, Mapping):
        return None
    if path in content:
        return content[path]
    for dot in re.finditer(r"\.", path):
        found = dig(content.get(path[: dot.start()]), path[dot.end() :])
        if found is not None:
            return found
    return None


def _sorted(items: list[Item], look: Callable[[Item, str], Any], key: str) -> list[Item]:
    name = key.lstrip("+-")
    return sorted(items, key=lambda item: _rank(look(item, name)), reverse=key.startswith("-"))


def _holds(look: Look, key: str, value: Any) -> bool:
    if key == "$and":
        return all(matches(look, part) for part in value)
    if key == "$or":
        return any(matches(look, part) for part in value)
    if key == "$nor":
        return not any(matches(look, part) for part in value)
    return _fits(look(key), value)


def _fits(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping) and wanted and all(key.startswith("$") for key in wanted):
        return all(_passes(found, name, value) for name, value in wanted.items())
    if isinstance(found, list) and not isinstance(wanted, list):
        return wanted in found
    return bool(found == wanted)


def _passes(found: Any, name: str, value: Any) -> bool:
    if name in COMPARISONS:
        return _comparable(found, value) and COMPARISONS[name](found, value)
    if name in {"$in", "$nin"}:
        return any(_fits(found, one) for one in value) == (name == "$in")
    if name in {"$ne", "$not"}:
        return not _fits(found, value)
    if name == "$eq":
        return _fits(found, value)
    if name == "$exists":
        return (found is not None) == bool(value)
    if name == "$regex":
        return found is not None and re.search(value, str(found)) is not None
    message = f"unknown operator {name}"
    raise Refusal(message)


def _comparable(left: Any, right: Any) -> bool:
    number = (int, float)
    return (isinstance(left, number) and isinstance(right, number)) or (
        isinstance(left, str) and isinstance(right, str)
    )


def _rank(value: Any) -> tuple[int, Any]:
    """Return something that sorts: what is missing, then numbers, then text."""
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int | float) else (2, str(value))

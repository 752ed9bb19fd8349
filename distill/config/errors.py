"""Turns what pydantic found into one line a mistake: file:line, key path, what was found, what would be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from distill.errors import did_you_mean

Location = tuple[int | str, ...]

READY = "ready"
"""The type of an error whose message is final: it says itself what was found."""


def ready(message: str) -> PydanticCustomError:
    """Return an error for a validator to raise, whose message is printed as it is."""
    return PydanticCustomError(READY, "{message}", {"message": message})


def error_at(location: Location, message: str, value: Any) -> ValidationError:
    """Return an error for a validator of a map or a model to raise, about a key in it."""
    details = InitErrorDetails(type=ready(message), loc=location, input=value)
    return ValidationError.from_exception_data(dotted(location), [details])


def name_closest_keys(error: ValidationError, fields: Mapping[str, FieldInfo]) -> ValidationError:
    """Reword the unknown keys of one model, which alone knows what its keys are called."""
    return ValidationError.from_exception_data(
        error.title, [_reworded(found, fields) for found in error.errors()]
    )


def _reworded(found: ErrorDetails, fields: Mapping[str, FieldInfo]) -> InitErrorDetails:
    location, kind, known = found["loc"], found["type"], list(fields)
    field = fields.get(str(location[0])) if len(location) > 1 else None
    if field is not None and field.discriminator is not None:
        location = (location[0], *location[2:])  # the second part is the kind, which is no key
    if kind == "extra_forbidden" and len(location) == 1:
        hint = did_you_mean(location[0], known) or f" (known: {', '.join(known)})"
        return InitErrorDetails(type=ready(f"unknown key{hint}"), loc=location, input=found["input"])
    if kind == READY:
        return InitErrorDetails(type=ready(found["msg"]), loc=location, input=found["input"])
    if kind in {"value_error", "assertion_error"}:
        message = found["msg"].partition(", ")[2] or found["msg"]
        return InitErrorDetails(type=ready(message), loc=location, input=found["input"])
    return InitErrorDetails(type=kind, loc=location, input=found["input"], ctx=found.get("ctx", {}))


def without_consequences(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short where one of its members could not be read."""
    inside = {error["loc"][:-1] for error in errors}
    return [error for error in errors if error["type"] != "too_short" or error["loc"] not in inside]


def explain(found: ErrorDetails) -> str:
    """Return the message for one mistake, without its place."""
    kind, context = found["type"], found.get("ctx", {})
    if kind == READY:
        return found["msg"]
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "union_tag_invalid":
        known = str(context["expected_tags"]).replace("'", "")
        hint = did_you_mean(context["tag"], known.split(", "))
        return f"unknown kind '{context['tag']}'{hint} (known: {known})"
    if kind == "literal_error":
        return f"must be {context['expected']}, got {_shown(found['input'])}{_closest(found)}"
    wanted = _WANTED.get(kind)
    if wanted is None:
        message = found["msg"][:1].lower() + found["msg"][1:]
        return f"{message.replace('input should be', 'must be')}, got {_shown(found['input'])}"
    return f"must be {wanted.format_map(context)}, got {_shown(found['input'])}"


_PLAIN: Mapping[str, str] = {
    "missing": "required key is missing",
    "union_tag_not_found": "required key 'kind' is missing",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}

_WANTED: Mapping[str, str] = {
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "dict_type": "a map of keys to values",
    "model_type": "a map of keys to values",
    "model_attributes_type": "a map of keys to values",
    "dataclass_type": "a map of keys to values",
    "finite_number": "a finite number",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_pattern_mismatch": "letters, digits, '-' and '_', beginning with a letter or digit",
}


def _closest(found: ErrorDetails) -> str:
    known = [
        part.strip(" '") for part in str(found.get("ctx", {})["expected"]).replace(" or ", ",").split(",")
    ]
    return did_you_mean(found["input"], known)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def dotted(location: Location) -> str:
    """Return `students.bilstm.hidden_size` for a location; pydantic's own steps into keys are left out."""
    return ".".join(str(part) for part in location if part != "[key]")

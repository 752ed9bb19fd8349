"""The JSON Schema of an experiment file, so that an editor completes keys and marks mistakes."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from distill.config.schema import OBJECTIVES, STUDENTS, TEACHERS, Experiment
from distill.registry import Registry


class CustomKind(BaseModel):
    """A user's own class; its knobs are known to it alone."""

    model_config = ConfigDict(extra="allow")

    kind: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]


def experiment_schema() -> dict[str, Any]:
    """Return the schema, with the knobs of every kind that is installed."""
    fields: dict[str, Any] = {
        "teacher": (_any_kind(TEACHERS), ...),
        "baseline": (_any_kind(TEACHERS) | None, None),
        "students": (_map_of(_any_kind(STUDENTS)), ...),
        "objectives": (_map_of(_any_kind(OBJECTIVES)), ...),
    }
    model = create_model("Experiment", __base__=Experiment, **fields)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}


def _any_kind(registry: Registry[Any]) -> Any:
    kinds = [registry.resolve(kind) for kind in registry.kinds]
    return reduce(or_, kinds) | CustomKind


def _map_of(kinds: Any) -> Any:
    return dict[str, kinds]

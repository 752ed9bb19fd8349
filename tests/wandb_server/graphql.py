"""GraphQL without a schema: a query is parsed, and its selections are walked over what the records show.

A record shows itself as a `Node`, whose fields are values, other records, or functions that take the field's
arguments. Operations are functions of the state. A field or an argument that is not there is noted.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial, singledispatch
from itertools import chain
from typing import Any, TypeVar

from graphql import parse
from graphql.language import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)
from graphql.utilities import value_from_ast_untyped

from wandb_server.state import State

WORD_BORDER = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
RESERVED = {"id": "id_", "type": "type_", "state": "state_"}

Function = TypeVar("Function", bound=Callable[..., Any])
OPERATIONS: dict[str, dict[str, Callable[..., Any]]] = {"query": {}, "mutation": {}}


def query(function: Function) -> Function:
    """Make a function of the state a field of Query."""
    OPERATIONS["query"][function.__name__] = function
    return function


def mutation(function: Function) -> Function:
    """Make a function of the state a field of Mutation; it takes the entries of `input` as arguments."""
    OPERATIONS["mutation"][function.__name__] = function
    return function


class Node:
    """What can be asked of a record: fields by their names in snake case."""

    def __init__(self, *types: str, **fields: Any) -> None:
        """Name the record's type, then its interfaces."""
        self.types = types
        self.fields = fields


@singledispatch
def show(record: Any, state: State) -> Node:
    """Return what can be asked of a record."""
    message = f"{type(record).__name__} cannot be shown"
    raise TypeError(message)


@show.register(Node)
def show_node(record: Node, state: State) -> Node:
    """A node is what it is."""
    return record


class Operation:
    """One query or mutation with its variables."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        """Parse the body of a request."""
        definitions = parse(body["query"], no_location=True).definitions
        operations = [part for part in definitions if isinstance(part, OperationDefinitionNode)]
        wanted = body.get("operationName")
        self._node = next(
            (part for part in operations if part.name and part.name.value == wanted), operations[0]
        )
        self._fragments = {
            part.name.value: part for part in definitions if isinstance(part, FragmentDefinitionNode)
        }
        self.name = self._node.name.value if self._node.name else "(without a name)"
        defaults = {
            part.variable.name.value: value_from_ast_untyped(part.default_value)
            if part.default_value
            else None
            for part in self._node.variable_definitions or ()
        }
        given = {name: value for name, value in (body.get("variables") or {}).items() if value is not None}
        self._variables = defaults | given

    def execute(self, state: State) -> Any:
        """Return the data; what is not known is answered with null and noted in `state.unknown`."""
        kind = self._node.operation.value
        fields = {name: partial(function, state) for name, function in OPERATIONS[kind].items()}
        return self._select(Node(kind.capitalize(), **fields), [self._node.selection_set], state)

    def _select(self, value: Any, selections: list[SelectionSetNode], state: State) -> Any:
        if value is None or not selections:
            return value
        if isinstance(value, list):
            return [self._select(one, selections, state) for one in value]
        node = show(value, state)
        found: dict[str, list[FieldNode]] = {}
        for field in self._fields_of(node, selections):
            found.setdefault((field.alias or field.name).value, []).append(field)
        return {
            key: self._select(
                self._resolve(node, fields[0], state),
                [field.selection_set for field in fields if field.selection_set],
                state,
            )
            for key, fields in found.items()
        }

    def _fields_of(self, node: Node, selections: list[SelectionSetNode]) -> Iterable[FieldNode]:
        """Yield the fields that are wanted of a node, those of fragments for its type too."""
        for part in chain.from_iterable(selection.selections for selection in selections):
            if not self._is_wanted(part):
                continue
            if isinstance(part, FieldNode):
                yield part
                continue
            fragment: FragmentDefinitionNode | InlineFragmentNode
            if isinstance(part, FragmentSpreadNode):
                fragment = self._fragments[part.name.value]
            else:
                assert isinstance(part, InlineFragmentNode)
                fragment = part
            if not fragment.type_condition or fragment.type_condition.name.value in node.types:
                yield from self._fields_of(node, [fragment.selection_set])

    def _is_wanted(self, part: SelectionNode) -> bool:
        conditions = {
            directive.name.value: value_from_ast_untyped(
                (directive.arguments or ())[0].value, self._variables
            )
            for directive in part.directives or ()
        }
        return bool(conditions.get("include", True)) and not conditions.get("skip", False)

    def _resolve(self, node: Node, field: FieldNode, state: State) -> Any:
        if field.name.value == "__typename":
            return node.types[0]
        given = {
            argument.name.value: value_from_ast_untyped(argument.value, self._variables)
            for argument in field.arguments or ()
        }
        place = f"{node.types[0]}.{field.name.value}"
        value = node.fields.get(snake(field.name.value), ...)
        if value is ...:
            state.unknown.add(f"{place} in {self.name}")
            return None
        return self._call(value, given, place, state)

    def _call(self, value: Any, given: Mapping[str, Any], place: str, state: State) -> Any:
        """Return a field's value; an argument that is null is as one that is not given."""
        accepted = inspect.signature(value).parameters if callable(value) else {}
        if set(given) == {"input"}:
            given = given["input"]
        arguments = {}
        for name, argument in given.items():
            if argument is None:
                continue
            ours = RESERVED.get(snake(name), snake(name))
            if ours in accepted:
                arguments[ours] = _in_snake_case(argument)
            else:
                state.unknown.add(f"{place}({name}) in {self.name}")
        return value(**arguments) if callable(value) else value


def snake(name: str) -> str:
    """Return `historyLineCount` as `history_line_count` and `artifactID` as `artifact_id`."""
    return WORD_BORDER.sub("_", name).lower()


def _in_snake_case(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_snake_case(inner) for inner in value]
    if isinstance(value, dict):
        return {snake(key): _in_snake_case(inner) for key, inner in value.items() if inner is not None}
    return value

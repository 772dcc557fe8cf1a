"""A JSON schema from JSON values: the narrowest plain shape that all of them fit.

Strings and whole numbers that are a closed set become an `enum`; booleans stay booleans, which is as narrow.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from chapeta.types import Json

ClosedSet = Callable[[Mapping[str, int]], bool]

MOST_PROPERTIES = 100
MOST_NUMBERS = 12
"""More whole numbers than this are an amount, not a choice."""


def schema_of(values: Sequence[Any], closed_set: ClosedSet) -> Json:
    """The schema of values that stand in the same place. Every value fits it. Keys keep the order first seen."""
    kinds: dict[str, list[Any]] = {}
    for value in values:
        kinds.setdefault(_kind(value), []).append(value)
    if "number" in kinds and "integer" in kinds:
        kinds["number"] += kinds.pop("integer")
    nullable = kinds.pop("null", None) is not None
    shapes = [_SHAPES[kind](kinds[kind], closed_set) for kind in sorted(kinds)]
    if not shapes:
        return {"type": "null"}
    if len(shapes) > 1:
        return {"anyOf": [*shapes, *([{"type": "null"}] if nullable else [])]}
    return _or_null(shapes[0]) if nullable else shapes[0]


def is_object(value: Any) -> TypeGuard[Json]:
    return isinstance(value, dict)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names: dict[type, str] = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return names[type(value)]


def _object(values: list[Any], closed_set: ClosedSet) -> Json:
    """Properties by key; an object whose keys vary like data (over 100 of them) is left open."""
    columns: dict[str, list[Any]] = {}
    for value in values:
        for key, inner in value.items():
            columns.setdefault(key, []).append(inner)
    if len(columns) > MOST_PROPERTIES:
        return {"type": "object"}
    return {
        "type": "object",
        "properties": {key: schema_of(column, closed_set) for key, column in columns.items()},
        "required": [key for key, column in columns.items() if len(column) == len(values)],
        "additionalProperties": False,
    }


def _array(values: list[Any], closed_set: ClosedSet) -> Json:
    items = [item for value in values for item in value]
    return {"type": "array", "items": schema_of(items, closed_set)} if items else {"type": "array", "maxItems": 0}


def _string(values: list[Any], closed_set: ClosedSet) -> Json:
    counts = Counter(values)
    return {"type": "string", "enum": sorted(counts)} if closed_set(counts) else {"type": "string"}


def _integer(values: list[Any], closed_set: ClosedSet) -> Json:
    counts = Counter(values)
    few = len(counts) <= MOST_NUMBERS and min(counts.values()) > 1
    if few and closed_set({json.dumps(value): count for value, count in counts.items()}):
        return {"type": "integer", "enum": sorted(counts)}
    return {"type": "integer"}


def _or_null(shape: Json) -> Json:
    if shape["type"] in ("object", "array"):
        return {"anyOf": [shape, {"type": "null"}]}
    widened = {**shape, "type": [shape["type"], "null"]}
    return {**widened, "enum": [*shape["enum"], None]} if "enum" in shape else widened


_SHAPES: dict[str, Callable[[list[Any], ClosedSet], Json]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": lambda _values, _closed: {"type": "number"},
    "boolean": lambda _values, _closed: {"type": "boolean"},
}

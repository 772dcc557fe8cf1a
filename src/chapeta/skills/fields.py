"""What an answer decides: the fields of a task (one for labels, one a key for JSON) and an example's value in each.

Prompts name the fields, the written skill explains them, and shown examples are balanced over their values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from chapeta.types import Example, Json, Labels, Schema, Task

FieldKind = Literal["label", "text", "number", "list", "other"]
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Field:
    """One decision. `path` is () for a plain label, else the keys that lead to the value.

    values: the allowed values as text, in the task's order; () where the value is open. For a list, its items' values.
    """

    path: tuple[str, ...]
    kind: FieldKind
    values: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return ".".join(self.path) or "label"

    @property
    def closed(self) -> bool:
        return bool(self.values)

    def raw(self, answer: object) -> object:
        """The value inside a parsed answer; None if the answer has no such key (or says null)."""
        for key in self.path:
            answer = answer.get(key) if isinstance(answer, dict) else None
        return answer

    def labels(self, answer: object) -> frozenset[str]:
        """The value as labels: one, several for a list, none for a missing value."""
        value = self.raw(answer)
        if self.kind == "list" and isinstance(value, list):
            return frozenset(shown(item) for item in value)
        if value is None and "null" not in self.values:
            return frozenset()
        return frozenset({shown(value)})


def fields_of(task: Task) -> tuple[Field, ...]:
    """The fields in the order of the answer; () for free text."""
    constraint = task.constraint
    if isinstance(constraint, Labels):
        return (Field((), "label", constraint.values),)
    if isinstance(constraint, Schema):
        return tuple(_walk(constraint.schema, ()))
    return ()


def parsed(task: Task, example: Example) -> Any:
    """The answer as data: JSON for an object task (None if it is broken), else the text without space around it."""
    if not isinstance(task.constraint, Schema):
        return example.answer.strip()
    try:
        return json.loads(example.answer)
    except (ValueError, RecursionError):
        return None


def shown(value: object) -> str:
    """A value as people write it: text as it is, everything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_nested(fields: tuple[Field, ...]) -> bool:
    """Whether an answer is more than one flat object of simple values and simple lists."""
    return any(len(field.path) > 1 or field.kind == "other" for field in fields)


def _walk(schema: Json, path: tuple[str, ...]) -> Iterator[Field]:
    """The leaves below a schema, depth first, in the order of its properties."""
    closed = _closed(schema)
    if closed and path:
        yield Field(path, "label", closed)
    elif isinstance(schema.get("properties"), dict) and schema["properties"]:
        for key, below in schema["properties"].items():
            yield from _walk(below if isinstance(below, dict) else {}, (*path, key))
    elif path:
        items = schema.get("items")
        closed_items = _closed(items) if isinstance(items, dict) else ()
        yield Field(path, _kind(schema), closed_items)


def _closed(schema: Json) -> tuple[str, ...]:
    """The allowed values of a schema that lists them, else ()."""
    if isinstance(schema.get("enum"), list):
        return tuple(dict.fromkeys(shown(value) for value in schema["enum"]))
    if schema.get("const", _MISSING) is not _MISSING:
        return (shown(schema["const"]),)
    if schema.get("type") == "boolean":
        return ("true", "false")
    if schema.get("type") == "null":
        return ("null",)
    for key in ("anyOf", "oneOf"):
        parts = [_closed(part) for part in schema.get(key, ()) if isinstance(part, dict)]
        if parts and all(parts):
            return tuple(dict.fromkeys(value for part in parts for value in part))
    return ()


def _kind(schema: Json) -> FieldKind:
    """How an open value looks; "other" for objects and anything that a sentence cannot say."""
    alternatives = [part for key in ("anyOf", "oneOf") for part in schema.get(key, ()) if isinstance(part, dict)]
    kinds = {_kind(part) for part in alternatives if part.get("type") != "null"}
    if len(kinds) == 1:
        return kinds.pop()
    given = schema.get("type")
    types = {given} if isinstance(given, str) else set(given or ()) - {"null"}
    if types == {"string"}:
        return "text"
    if types and types <= {"number", "integer"}:
        return "number"
    if types == {"array"} and (schema.get("items") or {}).get("type") not in ("object", "array"):
        return "list"
    return "other"

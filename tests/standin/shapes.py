"""A value that fits a JSON schema: what the stand-in answers where an answer's shape is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
MOST_DEPTH = 6  # of a schema that refers to itself, deeper levels have only what they must have
FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def fitting(schema: Json, text: str) -> Any:
    """A value for the schema, the same each time. `text` fills strings, and picks the enum value that it names."""
    return _fit(schema, text, schema, 0)


def _fit(schema: Any, text: str, root: Json, depth: int) -> Any:
    if not isinstance(schema, dict):
        return text
    if "$ref" in schema:
        return _fit(_resolve(root, schema["$ref"]), text, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return next((value for value in schema["enum"] if isinstance(value, str) and value in text), schema["enum"][0])
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _fit({**schema[choice][0]}, text, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return KINDS[kind[0] if isinstance(kind, list) else kind](schema, text, root, depth)


def _resolve(root: Json, ref: str) -> Json:
    found: Any = root
    for part in ref.removeprefix("#").strip("/").split("/"):
        found = found[part] if part else found
    return dict(found)


def _object(schema: Json, text: str, root: Json, depth: int) -> Json:
    wanted = schema.get("properties", {})
    if depth > MOST_DEPTH:
        wanted = {name: wanted[name] for name in schema.get("required", ()) if name in wanted}
    return {name: _fit(value, text, root, depth + 1) for name, value in wanted.items()}


def _array(schema: Json, text: str, root: Json, depth: int) -> list[Any]:
    size = schema.get("minItems", 0 if depth > MOST_DEPTH else 1)
    return [_fit(schema.get("items", {}), text, root, depth + 1) for _ in range(size)]


def _string(schema: Json, text: str, root: Json, depth: int) -> str:
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]


def _integer(schema: Json, text: str, root: Json, depth: int) -> int:
    low = max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
    return int(min(low, schema.get("maximum", low)))


def _number(schema: Json, text: str, root: Json, depth: int) -> float:
    return _integer(schema, text, root, depth) if "minimum" in schema or "maximum" in schema else 0.5


KINDS: dict[str, Callable[[Json, str, Json, int], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda *_: True,
    "null": lambda *_: None,
}

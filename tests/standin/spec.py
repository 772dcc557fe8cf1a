"""Bodies checked against the providers' published OpenAPI descriptions, which lie beside the repository, not in it.

    check_response("openai", "/chat/completions", "post", 200, body)
    check_stream("openrouter", raw)     # each event of a stream; returns the chunks

Where the descriptions are not there (a clone by itself), the test that asks is skipped; `@needs_specs` skips it early.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

Json = dict[str, Any]

SPECS = Path(__file__).parents[2].parent / "shared" / "specs"
WITHOUT = "the published OpenAPI descriptions are not beside this clone"
JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream"
ERRORS = {"openai": "ErrorResponse", "openrouter": "BadRequestResponse"}  # for a status that a path does not list
needs_specs = pytest.mark.skipif(not SPECS.is_dir(), reason=WITHOUT)


def validator(spec: str, name: str) -> Draft202012Validator:
    """A validator of one of the document's named schemas, such as ("openrouter", "ChatResult")."""
    return _validator(spec, f"/components/schemas/{name}")


def check(spec: str, name: str, value: Any) -> None:
    """AssertionError, with the place and the reason, if the value does not fit a named schema."""
    _check(validator(spec, name), value, f"{name} of {spec}")


def check_response(spec: str, path: str, method: str, status: int, body: Any, content_type: str = JSON_TYPE) -> None:
    """Checks the body (parsed, or as bytes) of an answer. `path` is the concrete one or the document's template.

    With content type text/event-stream the body is one chunk of a stream. Errors that the document does not list for the
    path have to have the provider's general shape of an error.
    """
    value = json.loads(body) if isinstance(body, str | bytes) else body
    streamed = content_type == STREAM_TYPE
    if streamed and spec == "openrouter":
        value = {"data": value}  # its document describes the event, not only the data in it
    template = _template(spec, path)
    pointer = f"/paths/{_escaped(template)}/{method.lower()}/responses/{status}"
    found = _at(spec, pointer)
    if found is not None and "$ref" in found:
        pointer = found["$ref"].removeprefix("#")
    if found is None:
        assert status >= 400, f"{spec} has no answer {status} for {method} {path}"
        pointer = f"/components/schemas/{ERRORS[spec]}"
    else:
        pointer = f"{pointer}/content/{_escaped(STREAM_TYPE if streamed else JSON_TYPE)}/schema"
    _check(_validator(spec, pointer), value, f"{spec} {method} {path} {status}")


def check_request(spec: str, path: str, method: str, body: Any) -> None:
    """Checks a request's JSON body."""
    value = json.loads(body) if isinstance(body, str | bytes) else body
    pointer = (
        f"/paths/{_escaped(_template(spec, path))}/{method.lower()}/requestBody/content/{_escaped(JSON_TYPE)}/schema"
    )
    _check(_validator(spec, pointer), value, f"{spec} {method} {path} request")


def check_stream(spec: str, raw: bytes, path: str = "/chat/completions") -> list[Json]:
    """Checks every chunk of a stream, and that it ends with [DONE]. Returns the chunks."""
    data = read_events(raw)
    assert data, "an empty stream"
    assert data[-1] == "[DONE]", f"the stream ends with {data[-1]!r}"
    found = [json.loads(one) for one in data[:-1]]
    for chunk in found:
        check_response(spec, path, "post", 200, chunk, STREAM_TYPE)
    return found


def read_events(raw: bytes) -> list[str]:
    """The data of each server-sent event, read as the HTML standard says: any line ends, no comments or other fields."""
    found, lines = [], []
    for line in re.split(r"\r\n|\r|\n", raw.decode()):
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            found.append("\n".join(lines))
            lines = []
    return found


def _check(by: Draft202012Validator, value: Any, what: str) -> None:
    error = best_match(by.iter_errors(value))
    if error is not None:
        raise AssertionError(f"{what}: {error.json_path}: {error.message[:2000]}")


@lru_cache
def _document(spec: str) -> Json:
    if not SPECS.is_dir():
        pytest.skip(WITHOUT)
    found = _without_nullable(json.loads((SPECS / f"{spec}.json").read_text(encoding="utf-8")))
    assert isinstance(found, dict)
    return found


def _without_nullable(value: Any) -> Any:
    """OpenAI's document says 3.1 but still has 3.0's `nullable`, which JSON Schema does not know."""
    if isinstance(value, list):
        return [_without_nullable(one) for one in value]
    if not isinstance(value, dict):
        return value
    rest = {name: _without_nullable(one) for name, one in value.items() if name != "nullable" or one is not True}
    return {"anyOf": [rest, {"type": "null"}]} if value.get("nullable") is True else rest


@lru_cache
def _validator(spec: str, pointer: str) -> Draft202012Validator:
    assert _at(spec, pointer) is not None, f"{spec}.json has no {pointer}"
    registry: Registry[Any] = Registry().with_resource(f"urn:{spec}", DRAFT202012.create_resource(_document(spec)))
    schema = {"$ref": f"urn:{spec}#{pointer}"}
    return Draft202012Validator(schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _at(spec: str, pointer: str) -> Any:
    found: Any = _document(spec)
    for part in pointer.strip("/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found


def _template(spec: str, path: str) -> str:
    """The document's path that a concrete one stands for."""
    paths = _document(spec)["paths"]
    if path in paths:
        return path
    for template in paths:
        if re.fullmatch(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template)), path):
            return str(template)
    raise AssertionError(f"{spec}.json has no path {path}")


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")

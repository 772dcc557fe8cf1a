"""What a deployment adds to a caller's conversation, and what the embedded engine has to be told beside it."""

from __future__ import annotations

from typing import Any

import msgspec

from chapeta.gateway.body import Fields
from chapeta.gateway.closed import WRAPPING_TOKENS, label_format
from chapeta.gateway.route import Route
from chapeta.types import Candidate, Json, Labels, Message, Schema

Changed = dict[str, Any]


def render(route: Route, fields: Fields, file: str) -> tuple[Changed, tuple[str, ...]]:
    """The fields of the request that this route changes, and the labels that its answer has to be made one of.

    file: the weights, for the embedded engine, which keeps to the labels by itself.
    """
    changed: Changed = {}
    given: Json = msgspec.json.decode(fields["chapeta"]) if "chapeta" in fields else {}
    candidate = route.candidate
    constraint = candidate.decoding.constraint if candidate else None
    labels = tuple(constraint.values) if isinstance(constraint, Labels) else tuple(given.get("labels") or ())
    if candidate is not None:
        changed["messages"] = conversation(candidate, msgspec.json.decode(fields["messages"]))
        if "max_tokens" not in fields and "max_completion_tokens" not in fields:
            changed["max_tokens"] = candidate.decoding.max_tokens
        if "temperature" not in fields:
            changed["temperature"] = candidate.decoding.temperature
        if isinstance(constraint, Schema):
            changed["response_format"] = response_format(constraint)
    if route.upstream is None:
        adapter = candidate.adapter if candidate else given.get("adapter")
        changed["chapeta"] = {"adapter": adapter, "labels": labels, "file": file}
        return changed, ()
    if "chapeta" in fields:
        changed["chapeta"] = None
    if labels:
        changed |= {"response_format": label_format(labels), "stream": None, "stream_options": None}
        room = changed.get("max_tokens") or (msgspec.json.decode(fields["max_tokens"]) if "max_tokens" in fields else 0)
        if room:
            changed["max_tokens"] = room + WRAPPING_TOKENS
    return changed, labels


def conversation(candidate: Candidate, turns: list[Json]) -> list[Json]:
    """The candidate's instructions and shown examples, then the caller's turns as they are, images and all.

    A system turn of the caller's is kept, after the candidate's own instructions.
    """
    own = [text_of(turn) for turn in turns if turn["role"] in ("system", "developer")]
    rest = [turn for turn in turns if turn["role"] not in ("system", "developer")]
    question = next((text_of(turn) for turn in reversed(rest) if turn["role"] == "user"), "")
    head = (Message("system", "\n\n".join(own)),) if own else ()
    rendered = candidate.render((*head, Message("user", question))).messages[:-1]
    return [*({"role": m.role, "content": m.content} for m in rendered), *rest]


def response_format(schema: Schema) -> Json:
    """A JSON schema as OpenAI's `response_format`."""
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema.schema, "strict": is_strict(schema.schema)},
    }


def is_strict(schema: Json) -> bool:
    """Whether a schema keeps OpenAI's rules for `strict`: every object closed, every key required."""
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
        return all(is_strict(part) for part in properties.values() if isinstance(part, dict))
    items = schema.get("items")
    return is_strict(items) if isinstance(items, dict) else True


def text_of(turn: Json) -> str:
    """The text of a turn, without its images and files."""
    content = turn.get("content")
    if isinstance(content, list):
        return "".join(str(p.get("text", "")) for p in content if isinstance(p, dict) and p.get("type") == "text")
    return content if isinstance(content, str) else ""

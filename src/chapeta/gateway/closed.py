"""Closed labels at providers, and whole answers as streams.

Only our own engine can be held to a list of labels. A provider is asked for a JSON object with one key whose value is one of
them (structured outputs); what comes back is made the bare label again. Where a provider has no such thing, an answer counts
as the label that it is but for case, quotes or a full stop: nobody is to lose by format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from chapeta.gateway.http import sse
from chapeta.gateway.record import Record
from chapeta.types import Json

KEY = "label"
WRAPPING_TOKENS = 16  # what {"label": "…"} takes beside the label itself


def label_format(labels: Sequence[str]) -> Json:
    """The `response_format` that asks for one of the labels."""
    schema: Json = {
        "type": "object",
        "properties": {KEY: {"type": "string", "enum": list(labels)}},
        "required": [KEY],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": KEY, "schema": schema, "strict": True}}


def with_labels(body: bytes, labels: Sequence[str]) -> bytes:
    """A chat completion with every choice's text made the label that it names."""
    answer = msgspec.json.decode(body)
    for choice in _choices(answer):
        message = choice.get("message")
        if isinstance(message, dict) and isinstance(message.get("content"), str):
            message["content"] = label_in(message["content"], labels)
    return msgspec.json.encode(answer)


def label_in(text: str, labels: Sequence[str]) -> str:
    """The label that an answer is; the text itself if it is none."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        value = text
    if isinstance(value, dict):
        value = value.get(KEY, text)
    said = str(value).strip().strip("\"'`*.").strip().casefold()
    return next((label for label in labels if label.casefold() == said), text)


def as_events(body: bytes, with_usage: bool) -> bytes:
    """A whole chat completion as the events of a stream."""
    answer = msgspec.json.decode(body)
    head = {"id": answer.get("id", ""), "object": "chat.completion.chunk", "created": answer.get("created", 0)}
    head["model"] = answer.get("model", "")
    chunks = []
    for choice in _choices(answer):
        message = choice.get("message")
        message = message if isinstance(message, dict) else {}
        given = message.get("tool_calls")
        calls = [{"index": n, **call} for n, call in enumerate(given if isinstance(given, list) else ())]
        delta = {"role": "assistant", "content": message.get("content"), **({"tool_calls": calls} if calls else {})}
        place = {"index": choice.get("index", 0), "logprobs": choice.get("logprobs")}
        chunks.append({**head, "choices": [{**place, "delta": delta, "finish_reason": None}]})
        finish = choice.get("finish_reason") or "stop"
        chunks.append({**head, "choices": [{**place, "delta": {}, "finish_reason": finish}]})
    if with_usage and isinstance(answer.get("usage"), dict):
        chunks.append({**head, "choices": [], "usage": answer["usage"]})
    return b"".join(map(sse.event, chunks)) + sse.DONE


def _choices(answer: Json) -> list[Json]:
    """The choices of an answer, as far as they are any."""
    choices = answer.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


class Told:
    """A stream of an answer that is there already."""

    def __init__(self, events: bytes, record: Record, on_close: Callable[[Record], None]) -> None:
        self.record = record
        self._events = events
        self._on_close = on_close

    async def next(self) -> bytes:
        """All events, then b""."""
        events, self._events = self._events, b""
        return events

    def close(self) -> None:
        self._on_close(self.record)

"""What a fault is played with, and the small parts that answers are made of."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from . import errors
from .wire import Call, Reply

Json = dict[str, Any]
DONE = b"data: [DONE]\n\n"
PROCESSING = b": OPENROUTER PROCESSING\n\n"


@dataclass(frozen=True, slots=True)
class Scene:
    """One call whose answer goes wrong.

    reply: the answer that it should have had; whole: the same as one JSON object, even where a stream was asked for.
    key: the key that the caller sent.
    """

    call: Call
    reply: Reply
    whole: Json
    dialect: str
    key: str


Play = Callable[..., Awaitable[None]]


def event(value: Json) -> bytes:
    """A JSON object as a server-sent event."""
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def json_reply(status: int, value: Json, headers: dict[str, str] | None = None, dialect: str = "openrouter") -> Reply:
    """A JSON answer, in two halves so that it can break off between them. OpenAI's come indented, as outside."""
    if dialect == "openai":
        data = json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"
    else:
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Reply(status, headers or {}, [data[: len(data) // 2], data[len(data) // 2 :]])


def problem_reply(problem: errors.Problem, dialect: str) -> Reply:
    return json_reply(problem.status, errors.body(problem, dialect), errors.headers(problem), dialect)

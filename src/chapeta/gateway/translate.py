"""Our requests as bodies of chat completions, and what comes back as our answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from chapeta.gateway.attempt import Reply
from chapeta.gateway.core import AnyStream
from chapeta.gateway.fault import Fault
from chapeta.gateway.http import sse
from chapeta.gateway.record import Record
from chapeta.gateway.refusal import of_error
from chapeta.gateway.render import response_format
from chapeta.types import Answer, Finish, Json, Labels, Request, Schema, Usage


def body_of(request: Request, stream: bool) -> bytes:
    """The request as the body of a chat completion; labels and adapter go in a field of our own."""
    decoding = request.decoding
    constraint = decoding.constraint
    fields: Json = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        "max_tokens": decoding.max_tokens,
        "temperature": decoding.temperature,
        "seed": decoding.seed,
        "chapeta": {
            "adapter": request.adapter,
            "labels": list(constraint.values) if isinstance(constraint, Labels) else None,
        },
    }
    if isinstance(constraint, Schema):
        fields["response_format"] = response_format(constraint)
    if stream:
        fields |= {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode(fields)


def answer(reply: Reply) -> Answer:
    """A whole chat completion as our answer."""
    data = msgspec.json.decode(reply.body)
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        provider = reply.record.route.provider if reply.record.route else ""
        raise Fault(
            502, "The answer has no choices.", "Try again, or choose another model.", "garbage", provider, sent=True
        )
    message = choices[0].get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return _made(reply.record, content if isinstance(content, str) else "", choices[0].get("finish_reason"))


async def read_stream(stream: AnyStream, put: Callable[[str], None]) -> Answer:
    """Reads a stream to its end, handing out its text as it comes. Raises Fault for an error in mid-stream."""
    pieces: list[str] = []
    finish: Any = None
    try:
        while block := await stream.next():
            for value in sse.decoded(block):
                if isinstance(value.get("error"), dict):
                    route = stream.record.route
                    name = route.provider if route else ""
                    raise of_error(value["error"], 502, name, name)
                finish = sse.finish_of(value) or finish
                for text in filter(None, sse.texts(value)):
                    pieces.append(text)
                    put(text)
    finally:
        stream.close()
    return _made(stream.record, "".join(pieces), finish)


def _made(record: Record, text: str, finish: Any) -> Answer:
    call, usd = record.call()
    usage = Usage(call.tokens_in or 0, call.tokens_out or 0, call.tokens_cached or 0)
    ended: Finish = "length" if finish == "length" else "stop"
    return Answer(text, usage, call.latency_ms, ended, usd)

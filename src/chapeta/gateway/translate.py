"""Our requests as bodies of chat completions, and what comes back as our answers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

from chapeta.engine import weights
from chapeta.gateway import sse
from chapeta.gateway.attempt import Reply
from chapeta.gateway.fault import Fault
from chapeta.gateway.record import Record
from chapeta.gateway.refusal import of_error
from chapeta.gateway.render import response_format
from chapeta.gateway.stream import Stream
from chapeta.types import Answer, Finish, Json, Labels, Request, Schema, Usage

# what some models refuse though others need it, and what to send instead ("" is nothing)
INSTEAD = {"max_tokens": "max_completion_tokens", "temperature": "", "seed": "", "response_format": ""}
REFUSED = re.compile(
    r"unsupported|not support|deprecated|unrecognized|unknown (parameter|argument)|not permitted", re.I
)


class Dialects:
    """Remembers which fields a model does not take: some refuse `temperature`, some want `max_completion_tokens`."""

    def __init__(self) -> None:
        self._refused: defaultdict[str, set[str]] = defaultdict(set)

    def body(self, request: Request, stream: bool) -> bytes:
        """The request as the body of a chat completion."""
        decoding = request.decoding
        fields: Json = {
            "model": request.model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "max_tokens": decoding.max_tokens,
            "temperature": decoding.temperature,
            "seed": decoding.seed,
        }
        constraint = decoding.constraint
        if isinstance(constraint, Schema):
            fields["response_format"] = response_format(constraint)
        if stream:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        if weights.is_local(request.model):
            labels = list(constraint.values) if isinstance(constraint, Labels) else None
            fields["chapeta"] = {"adapter": request.adapter, "labels": labels}
        for name in self._refused.get(request.model, ()):
            value = fields.pop(name, None)
            if INSTEAD[name]:
                fields[INSTEAD[name]] = value
        return msgspec.json.encode(fields)

    def learn(self, model: str, fault: Fault) -> bool:
        """Whether the fault was about a field that can be left out; it will be from now on."""
        if fault.status not in (400, 422) or not fault.provider:
            return False
        said = f"{fault.message} {fault.raw}"
        name = fault.param if fault.param in INSTEAD else next((n for n in INSTEAD if n in said), None)
        if name is None or name in self._refused[model] or not REFUSED.search(said):
            return False
        self._refused[model].add(name)
        return True


def answer(request: Request, reply: Reply) -> Answer:
    """A whole chat completion as our answer."""
    data = msgspec.json.decode(reply.body)
    choices = data.get("choices") if isinstance(data, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        provider = reply.record.route.provider if reply.record.route else ""
        raise Fault(
            502, "The answer has no choices.", "Try again, or choose another model.", "garbage", provider, sent=True
        )
    message = choices[0].get("message") or {}
    return _made(request, reply.record, str(message.get("content") or ""), choices[0].get("finish_reason"))


async def read_stream(request: Request, stream: Stream, put: Callable[[str], None]) -> Answer:
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
                for choice in value.get("choices") or ():
                    text = (choice.get("delta") or {}).get("content")
                    finish = choice.get("finish_reason") or finish
                    if text:
                        pieces.append(text)
                        put(text)
    finally:
        stream.close()
    return _made(request, stream.record, "".join(pieces), finish)


def _made(request: Request, record: Record, text: str, finish: Any) -> Answer:
    call, usd = record.call()
    usage = Usage(call.tokens_in or 0, call.tokens_out or 0, call.tokens_cached or 0)
    constraint = request.decoding.constraint
    if isinstance(constraint, Labels) and not weights.is_local(request.model):
        text = label_in(text, constraint.values)
    ended: Finish = "length" if finish == "length" else "stop"
    return Answer(text, usage, call.latency_ms, ended, usd)


def label_in(text: str, labels: tuple[str, ...]) -> str:
    """The label that an answer is, but for case, quotes and a full stop; the text itself if it is none.

    Providers cannot be held to a list of labels as the engine can, and nobody is to lose by a full stop.
    """
    said = text.strip().strip("\"'`*.").strip().casefold()
    return next((label for label in labels if label.casefold() == said), text)

"""An answer on its way through: events are passed on as they come, and only looked into where something is to be learned.

The first event was waited for before (that is when a retry or a fallback could still step in); from here on an error
reaches the caller as an event of the stream.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

from chapeta.gateway.fault import Fault
from chapeta.gateway.http import sse
from chapeta.gateway.http.response import Response
from chapeta.gateway.http.upstream import Upstream
from chapeta.gateway.record import Record
from chapeta.gateway.refusal import of_error

NOTHING = re.compile(rb"\s*:\s*null")
Explain = Callable[[Fault], Awaitable[Fault]]
END_S = 0.2  # between [DONE], which the caller has, and the end of the transfer: then the connection is free again
MASK = b"[a key, masked]"
MOST_KEPT_CHARACTERS = 1_000_000
MOST_KEPT_BYTES = 16_000_000  # of events; the ledger keeps their text


class Stream:
    """Whole events of one call, in the provider's own words. `close` has to be called, whatever happens."""

    __slots__ = (
        "_done",
        "_events",
        "_explain",
        "_finished",
        "_first",
        "_hide_usage",
        "_kept",
        "_on_close",
        "_response",
        "_upstream",
        "record",
    )

    def __init__(
        self, record: Record, upstream: Upstream, response: Response, events: sse.Events, first: bytes,
        hide_usage: bool, on_close: Callable[[Record], None], explain: Explain | None = None,
    ) -> None:  # fmt: skip
        self.record = record
        self._upstream = upstream
        self._response = response
        self._events = events
        self._explain = explain
        self._first = first
        self._hide_usage = hide_usage
        self._on_close = on_close
        self._done = False  # [DONE] has been passed on
        self._finished = False  # a finish_reason has
        self._kept: list[bytes] | None = [] if record.prompt is not None else None

    async def next(self) -> bytes:
        """The next events, as many as are there; b"" at the end. Errors of the provider come as events."""
        if self._first:
            block, self._first = self._first, b""
            if shown := self._look(block):
                return shown
        try:
            while not self._done:
                data = await self._response.more()
                if not data:
                    return self._last_words()
                if (block := self._events.feed(data)) and (shown := self._look(block)):
                    return shown
            if not self._response.complete:
                await self._response.finish(END_S)
            return b""
        except Fault as fault:
            fault.provider = fault.provider or self._upstream.remote.name
            fault.message = fault.message.replace("The provider", self._upstream.remote.title, 1)
            if self._explain is not None:
                fault = await self._explain(fault)
            return self._break_off(fault)

    def close(self) -> None:
        """The caller has all of it, or has gone: what is still under way is ended, and the call is entered."""
        if not self._done and self.record.outcome == "ok":
            self.record.cancelled()
        if self._done and self.record.outcome == "ok":
            self._response.leave()  # only the end of the transfer is still to come
        else:
            self._response.abort()
        if self._kept is not None:
            texts = (text for value in sse.decoded(b"".join(self._kept)) for text in sse.texts(value))
            self.record.answer = "".join(texts)[:MOST_KEPT_CHARACTERS]
        self._on_close(self.record)

    def _look(self, block: bytes) -> bytes:
        """Learns what the events say about usage, end and errors; returns them without what is not for the caller."""
        if self.record.budgeted:
            self.record.events += block.count(b"\n\n")
        if not block.isascii():
            block = valid(block)
        secret = self._upstream.secret
        if secret and secret in block:
            block = block.replace(secret, MASK)
        if b'"error"' in block:
            self._take_error(block)
        if b'"usage"' in block:
            block = self._take_usage(block)
        if sse.is_done(block):
            self._done = True
        elif not self._finished:
            self._finished = b'"finish_reason":"' in block or b'"finish_reason": "' in block
        if self._kept is not None and self._response.size <= MOST_KEPT_BYTES:
            self._kept.append(block)
        return block

    def _take_usage(self, block: bytes) -> bytes:
        """Keeps the last usage that the events tell, and takes an event out that is there for it alone."""
        at = len(block)
        while (at := block.rfind(b'"usage"', 0, at)) >= 0:
            if NOTHING.match(block, at + 7):
                continue
            start, end = block.rfind(b"\n\n", 0, at) + 2, block.find(b"\n\n", at) + 2
            start = start if start > 1 else 0
            for value in sse.decoded(block[start:end]):
                if isinstance(value.get("usage"), dict):
                    self.record.usage = value["usage"]
                    if self._hide_usage and not value.get("choices"):
                        # asked for by us alone: callers that take choices[0] would stumble
                        return block[:start] + block[end:]
                    return block
        return block

    def _take_error(self, block: bytes) -> None:
        for value in sse.decoded(block):
            if isinstance(value.get("error"), dict):
                remote = self._upstream.remote
                self.record.failed(of_error(value["error"], 502, remote.name, remote.title))

    def _last_words(self) -> bytes:
        """The provider has ended its answer without [DONE]."""
        block = self._look(self._events.feed(b"\n\n")) if self._events.rest.strip() else b""
        if not self._done:
            if not self._finished and self.record.outcome == "ok":
                fault = Fault(502, "The provider's answer broke off before its end.", "Ask again.", "cut", sent=True)
                fault.provider = self._upstream.remote.name
                return block + self._break_off(fault)
            self._done = True
            block += sse.DONE
        return block

    def _break_off(self, fault: Fault) -> bytes:
        """The caller's last events: what went wrong, in the shape that OpenRouter gives to errors in mid-stream."""
        self.record.failed(fault)
        self._done = True
        route = self.record.route
        chunk = {
            "id": f"chatcmpl-{self.record.id}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": route.id if route else "",
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
            **fault.to_json(),
        }
        return sse.event(chunk) + sse.DONE


async def first_events(response: Response, events: sse.Events, upstream: Upstream) -> bytes:
    """The first events of a stream. Raises the Fault if the provider begins with an error: nothing was passed on yet."""
    title = upstream.remote.title
    while True:
        data = await response.more()
        block = events.feed(data if data else b"\n\n") if data or events.rest.strip() else b""
        if sse.has_data(block):
            break
        if not data:
            raise Fault(502, f"{title} ended its stream before the first event.", "Ask again.", "cut", sent=True)
    _require_speech(block, upstream)
    return block


def _require_speech(block: bytes, upstream: Upstream) -> None:
    """Raises the Fault of a stream whose first event is an error, or is none of a chat completion."""
    first = block[: block.find(b"\n\n", block.find(b"data:")) + 2]
    if sse.is_done(first):
        raise Fault(
            502, f"{upstream.remote.title} ended its stream before the first event.", "Ask again.", "cut", sent=True
        )
    values = sse.decoded(first)
    if not values:
        raw = first[:200].decode("utf-8", "replace")
        message = f"{upstream.remote.title} answered with something else than JSON in its stream."
        raise Fault(502, message, "Ask again.", "garbage", raw=raw, sent=True)
    for value in values if b'"error"' not in block else sse.decoded(block):
        if isinstance(value.get("error"), dict):
            raise of_error(value["error"], 502, upstream.remote.name, upstream.remote.title)
        if any(sse.texts(value)):
            return  # it has begun to speak: an error after that is the caller's to see


def valid(block: bytes) -> bytes:
    """The block as UTF-8, whatever a provider has cut in half replaced."""
    try:
        block.decode()
    except UnicodeDecodeError:
        return block.decode("utf-8", "replace").encode()
    return block

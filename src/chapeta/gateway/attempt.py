"""One attempt at a provider, and when there is another: the request out, the answer in, told apart from a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from chapeta.gateway import retry
from chapeta.gateway.fault import Fault
from chapeta.gateway.http import sse
from chapeta.gateway.http.pool import Origin, Pool
from chapeta.gateway.http.response import Response
from chapeta.gateway.http.upstream import Upstream
from chapeta.gateway.pace import Pace
from chapeta.gateway.providers.embedded import Embedded
from chapeta.gateway.record import Record
from chapeta.gateway.refusal import of_error, of_response, request_id
from chapeta.gateway.route import Route
from chapeta.gateway.stream import MASK, Stream, first_events
from chapeta.types import Json, Message

EVENT_STREAM = b"text/event-stream"
MAYBE_EVENTS = (EVENT_STREAM, b"text/plain", b"application/octet-stream")  # some servers call their events that


@dataclass(slots=True)  # not frozen: one is made a call, and frozen ones take three times as long to make
class Reply:
    """A whole answer: the provider's JSON as it came."""

    body: bytes
    record: Record


class _Head(msgspec.Struct):
    """What is looked at of an answer; everything is checked to be JSON on the way."""

    usage: Any = None
    error: Any = None


_head = msgspec.json.Decoder(_Head)


class Attempts:
    """Sends calls to providers. `on_close` is told when a stream has ended."""

    def __init__(
        self, pool: Pool, embedded: Embedded, answer_s: float, keep_content: bool, on_close: Callable[[Record], None]
    ) -> None:
        self._pool = pool
        self._embedded = embedded
        self._answer_s = answer_s
        self._keep_content = keep_content
        self._on_close = on_close
        self._paces: dict[tuple[Origin, bytes, str], Pace] = {}

    async def with_retries(
        self, route: Route, record: Record, path: str, data: bytes, plan: bool | None
    ) -> Reply | Stream:
        """Sends a body until it is answered or refused for good. Raises Fault.

        plan: None for a whole answer, else a stream; True if its usage was asked for by us alone.
        """
        pace = self._pace_of(route) if record.paced and plan is None else None
        attempt = refusals = 0
        while True:
            attempt += 1
            record.attempts += 1
            try:
                if pace is None:
                    return await self._attempt(route, record, path, data, plan)
                return await self._in_turn(pace, route, record, path, data)
            except Fault as fault:
                upstream = route.upstream
                fault.provider = fault.provider or route.provider
                title = upstream.remote.title if upstream else "The embedded engine"
                fault.message = fault.message.replace("The provider", title, 1)
                if upstream is None:
                    fault = await self._embedded.fault(fault)
                else:
                    hide(upstream.secret, fault)
                if pace is not None and retry.is_patient(fault, refusals + 1):
                    refusals, attempt = refusals + 1, attempt - 1  # its next turn comes when the provider wants it
                    continue
                if attempt >= record.most_attempts or not retry.is_safe(fault):
                    raise fault from None
                await asyncio.sleep(retry.wait_s(fault, attempt))

    def _pace_of(self, route: Route) -> Pace | None:
        """The pace of a model at its provider; our own engine has none."""
        upstream = route.upstream
        if upstream is None:
            return None
        return self._paces.setdefault((upstream.origin, upstream.secret, route.model), Pace())

    async def _in_turn(self, pace: Pace, route: Route, record: Record, path: str, data: bytes) -> Reply | Stream:
        """An attempt when its turn has come; its time counts from then."""
        await pace.turn()
        record.begin_again()
        try:
            reply = await self._attempt(route, record, path, data, None, pace)
        except Fault as fault:
            if fault.status == 429:
                pace.refused(retry.wait_s(fault, 1))
            raise
        finally:
            pace.end()
        pace.answered(record.elapsed_ms / 1000)
        return reply

    async def _attempt(
        self, route: Route, record: Record, path: str, data: bytes, plan: bool | None, pace: Pace | None = None
    ) -> Reply | Stream:
        upstream = route.upstream or await self._embedded.upstream()
        whole = plan is None
        request = upstream.request(path, data) if whole else upstream.request(path, data, EVENT_STREAM)
        record.sent = True
        response = await self._pool.send(upstream.origin, request, whole, self._answer_s)
        if pace is not None:
            pace.heard(response.headers)
        try:
            return await self._read(route, upstream, response, record, plan)
        except BaseException:
            response.abort()  # nobody reads on; nothing happens where it is complete
            raise

    async def _read(
        self, route: Route, upstream: Upstream, response: Response, record: Record, plan: bool | None
    ) -> Reply | Stream:
        """What a provider has answered. Raises Fault for anything but an answer."""
        if response.status != 200:
            raise of_response(response, await response.read(), upstream.remote.name, upstream.remote.title)
        record.request_id = masked(upstream.secret, request_id(response))
        record.begun = True
        if plan is None:
            return self._reply(upstream, record, await response.read())
        kind = response.headers.get(b"content-type", EVENT_STREAM)
        if kind.startswith(b"application/json"):
            return self._reply(upstream, record, await response.read())
        if not kind.startswith(MAYBE_EVENTS):
            raise self._no_stream(upstream, response, await response.read())
        events = sse.Events()
        first = await first_events(response, events, upstream)
        record.first_token_ms = record.elapsed_ms
        explain = self._embedded.fault if route.upstream is None else None
        return Stream(record, upstream, response, events, first, plan, self._on_close, explain)

    def _reply(self, upstream: Upstream, record: Record, data: bytes) -> Reply:
        """A whole answer, looked at. Raises Fault for what is no JSON, or an error in spite of status 200."""
        remote = upstream.remote
        try:
            if not data.isascii():
                data.decode()
            head = _head.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Fault(
                502, f"{remote.title} answered 200, but not with a JSON object.", "Ask again, then check the address.",
                "garbage", provider=remote.name, raw=data[:200].decode("utf-8", "replace"), sent=True,
            ) from None  # fmt: skip
        if head.error is not None:
            error = head.error if isinstance(head.error, dict) else {"message": str(head.error)}
            raise of_error(error, 502, remote.name, remote.title)
        if type(head.usage) is dict:
            record.usage = head.usage
        if upstream.secret and upstream.secret in data:
            data = data.replace(upstream.secret, MASK)
        if self._keep_content:
            record.answer = data.decode("utf-8", "replace")
        return Reply(data, record)

    def _no_stream(self, upstream: Upstream, response: Response, data: bytes) -> Fault:
        """A stream was asked for and something else came."""
        fault = of_response(response, data, upstream.remote.name, upstream.remote.title)
        kind = response.header(b"content-type").partition(";")[0] or "no content type"
        if b'"error"' not in data:
            fault.message = f"{upstream.remote.title} answered with {kind} instead of a stream of events."
            fault.code, fault.sent = "no_stream", True
        return fault

    async def count_tokens(self, file: str, what: str | Sequence[Message]) -> int:
        """Tokens of a bare text in a local model's vocabulary, or of a conversation ready for its answer."""
        upstream = await self._embedded.upstream()
        asked: Json = {"file": file}
        asked |= {"text": what} if isinstance(what, str) else {"messages": [[m.role, m.content] for m in what]}
        request = upstream.request("/tokens", msgspec.json.encode(asked))
        response = await self._pool.send(upstream.origin, request, True, self._answer_s)
        data = await response.read()
        if response.status != 200:
            raise of_response(response, data, "embedded", "The embedded engine")
        return int(msgspec.json.decode(data)["tokens"])


def hide(secret: bytes, fault: Fault) -> None:
    """Takes a provider's key out of what the provider said about it."""
    fault.message, fault.raw = masked(secret, fault.message), masked(secret, fault.raw)
    fault.request_id, fault.code = masked(secret, fault.request_id), masked(secret, fault.code)
    fault.param = fault.param and masked(secret, fault.param)


def masked(secret: bytes, text: str) -> str:
    return text.replace(secret.decode("latin-1"), MASK.decode()) if secret else text

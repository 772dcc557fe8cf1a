"""The application: who may come in, which path does what, and how answers and errors leave.

POST /v1/chat/completions   POST /v1/embeddings   GET /v1/models   GET /v1/models/{id}   GET /health   GET /openapi.json
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

from chapeta.api.exchange import Exchange
from chapeta.api.guard import Guard
from chapeta.api.openapi import openapi
from chapeta.errors import ChapetaError
from chapeta.gateway.attempt import Reply
from chapeta.gateway.core import AnyStream, Caller, Core
from chapeta.gateway.fault import Fault
from chapeta.gateway.http import sse
from chapeta.gateway.models import listed_models
from chapeta.gateway.record import Record
from chapeta.types import Json

JSON_TYPE = b"content-type: application/json\r\n"
EVENT_TYPE = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"


class App:
    """Our side of HTTP. `guard` knows who may come in, `core` serves the calls."""

    def __init__(self, core: Core, guard: Guard) -> None:
        self._core = core
        self._guard = guard
        self._posts = {"/v1/chat/completions": self._chat, "/v1/embeddings": self._embed}
        self._gets: dict[str, Callable[[], Json]] = {"/health": lambda: {"status": "ok"}, "/openapi.json": openapi}

    def admit(self, exchange: Exchange) -> None:
        """Lets a request in, or refuses it before its body is read."""
        try:
            headers = exchange.headers
            self._guard.check_origin(headers)
            if exchange.method == "POST" and exchange.path in self._posts:
                exchange.caller = self._guard.admit(headers)
                _require_json(headers)
                return
            allowed = self._allowed(exchange.path)
            if exchange.method not in allowed:
                raise _nowhere(exchange.method, exchange.path, allowed)
            if exchange.path not in self._gets:
                exchange.caller = self._guard.admit(headers)
        except Fault as fault:
            exchange.refused = fault

    async def serve(self, exchange: Exchange) -> None:
        """Answers an admitted request, with an error if need be."""
        try:
            path, caller = exchange.path, exchange.caller
            if caller is None:
                _send_json(exchange, self._gets[path]())
            elif exchange.method == "POST":
                await self._posts[path](exchange, caller)
            else:
                _send_json(exchange, await self._models(path, caller))
        except Fault as fault:
            self.refuse(exchange, fault)
        except ChapetaError as error:  # something on this machine is not as it should be, such as a damaged file
            self.refuse(exchange, Fault(500, error.message, error.remedy, "misconfigured"))
        except asyncio.CancelledError:
            _say_stopped(exchange)
        except Exception:  # a bug of ours: the caller gets an answer, the server stays up
            logging.getLogger(__name__).exception("%s %s", exchange.method, exchange.path)
            self.refuse(exchange, Fault(500, "Chapeta failed at this call.", "Please report it.", "internal_error"))

    def refuse(self, exchange: Exchange, fault: Fault) -> None:
        """Answers with an error; nothing where an answer has begun: the connection breaks off instead."""
        if exchange.begun:
            return
        headers = [JSON_TYPE, _provider_id(fault.request_id)]
        if fault.call_id:
            headers.append(b"x-request-id: %b\r\n" % fault.call_id.encode())
        if fault.retry_after_s is not None:
            headers.append(b"retry-after: %d\r\n" % max(1, round(fault.retry_after_s)))
        if fault.status == 401 and not fault.provider:
            headers.append(b"www-authenticate: Bearer\r\n")
        if fault.allow:
            headers.append(b"allow: %b\r\n" % ", ".join(fault.allow).encode())
        exchange.answer(fault.status, b"".join(headers), fault.to_bytes())

    def _allowed(self, path: str) -> tuple[str, ...]:
        """The methods that a path has, () if there is no such path."""
        if path in self._posts:
            return ("POST",)
        return ("GET", "HEAD") if path in self._gets or path == "/v1/models" or path.startswith("/v1/models/") else ()

    async def _chat(self, exchange: Exchange, caller: Caller) -> None:
        answered = await self._core.chat(exchange.body, caller)
        if isinstance(answered, Reply):
            exchange.answer(200, JSON_TYPE + _ids(answered.record), answered.body)
        else:
            await _send_stream(exchange, answered)

    async def _embed(self, exchange: Exchange, caller: Caller) -> None:
        reply = await self._core.embed(exchange.body, caller)
        exchange.answer(200, JSON_TYPE + _ids(reply.record), reply.body)

    async def _models(self, path: str, caller: Caller) -> Json:
        rows = await asyncio.get_running_loop().run_in_executor(None, listed_models)
        pattern = caller.key.pattern if caller.key is not None else None
        if pattern is not None:
            rows = [row for row in rows if pattern.match(row["id"])]
        if path.rstrip("/") == "/v1/models":
            return {"object": "list", "data": rows}
        wanted = path.removeprefix("/v1/models/")
        if pattern is not None and not pattern.match(wanted):
            raise Fault(
                404,
                f"This access key opens no model '{wanted[:200]}'.",
                "GET /v1/models lists what it opens.",
                "model_not_found",
            )
        for row in rows:
            if row["id"] == wanted:
                return row
        route = await self._core.route(wanted)  # listed or not: raises a 404 if nobody would answer to it
        return {"id": wanted, "object": "model", "created": 0, "owned_by": route.provider}


async def _send_stream(exchange: Exchange, stream: AnyStream) -> None:
    try:
        exchange.begin(200, EVENT_TYPE + _ids(stream.record))
        while block := await stream.next():
            await exchange.write(block)
        exchange.end()
    finally:
        stream.close()


def _send_json(exchange: Exchange, value: Json) -> None:
    exchange.answer(200, JSON_TYPE, json.dumps(value, ensure_ascii=False).encode())


def _say_stopped(exchange: Exchange) -> None:
    """The server stops in the middle of a call, or the caller has gone and nobody hears it: an error, or an event."""
    if exchange.ended:
        return
    fault = Fault(503, "The server was stopped.", "Ask again when it runs again.", "stopped")
    if exchange.begun:
        exchange.end(sse.event({"choices": [], **fault.to_json()}) + sse.DONE)
    else:
        exchange.answer(fault.status, JSON_TYPE, fault.to_bytes())


def _require_json(headers: dict[bytes, bytes]) -> None:
    kind = headers.get(b"content-type", b"application/json")
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        shown = kind.decode("latin-1")[:100]
        raise Fault(415, f"The content type is {shown!r}.", "Send application/json.", "unsupported_media_type")


def _ids(record: Record) -> bytes:
    """The headers that name a call: ours, and the provider's."""
    return b"x-request-id: %b\r\n%b" % (record.id.encode(), _provider_id(record.request_id))


def _provider_id(request_id: str) -> bytes:
    """The provider's name for the call, if it gave one that may stand in a header."""
    if request_id and request_id.isascii() and request_id.isprintable():
        return b"x-provider-request-id: %b\r\n" % request_id.encode()
    return b""


def _nowhere(method: str, path: str, allowed: tuple[str, ...]) -> Fault:
    if allowed:
        remedy = f"Use {' or '.join(allowed)}; see /openapi.json."
        return Fault(
            405, f"{method[:20]} is not possible on {path[:200]}.", remedy, "method_not_allowed", allow=allowed
        )
    remedy = "There is /v1/chat/completions, /v1/embeddings and /v1/models; see /openapi.json."
    return Fault(404, f"There is no path {path[:200]}.", remedy, "not_found")

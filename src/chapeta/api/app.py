"""The ASGI application: who may come in, which path does what, and how answers and errors leave.

POST /v1/chat/completions   POST /v1/embeddings   GET /v1/models   GET /v1/models/{id}   GET /health   GET /openapi.json
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from chapeta.api.guard import Guard
from chapeta.api.openapi import openapi
from chapeta.api.watch import Watch
from chapeta.errors import ChapetaError
from chapeta.gateway.attempt import Reply
from chapeta.gateway.core import AnyStream, Caller, Core
from chapeta.gateway.fault import Fault
from chapeta.gateway.http import sse
from chapeta.gateway.models import listed_models
from chapeta.types import Json

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BODY_BYTES = 32 * 1024 * 1024  # a few dozen images; more is refused before it is read
JSON_TYPE = (b"content-type", b"application/json")
EVENT_TYPE = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))


class App:
    """Our side of HTTP. `guard` knows who may come in, `core` serves the calls."""

    def __init__(self, core: Core, guard: Guard) -> None:
        self._core = core
        self._guard = guard
        self._watch = Watch()
        self._posts = {"/v1/chat/completions": self._chat, "/v1/embeddings": self._embed}
        self._gets: dict[str, Callable[[], Json]] = {"/health": lambda: {"status": "ok"}, "/openapi.json": openapi}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _not_http(scope, receive, send)
            return
        try:
            path: str = scope["path"]
            method: str = scope["method"]
            headers = dict(scope["headers"])
            self._guard.check_origin(headers)
            handler = self._posts.get(path) if method == "POST" else None
            if handler is None:
                allowed = self._allowed(path)
                if method not in allowed:
                    raise _nowhere(method, path, allowed)
                if path in self._gets:
                    await _send_json(send, 200, self._gets[path]())
                    return
            caller = self._guard.admit(headers)
            if handler is None:
                await _send_json(send, 200, await self._models(path, caller))
            else:
                body = await _body(headers, receive)
                watched = self._watch.begin(receive)
                try:
                    await handler(body, caller, send)
                except asyncio.CancelledError:
                    if not watched.left:
                        await _say_stopped(send)
                finally:
                    self._watch.end(watched)
        except Fault as fault:
            await _send_fault(send, fault)
        except ChapetaError as error:  # something on this machine is not as it should be, such as a damaged file
            await _send_fault(send, Fault(500, error.message, error.remedy, "misconfigured"))
        except Exception:  # a bug of ours: the caller gets an answer, the server stays up
            logging.getLogger(__name__).exception("%s %s", method, path)
            await _send_fault(send, Fault(500, "Chapeta failed at this call.", "Please report it.", "internal_error"))

    def _allowed(self, path: str) -> tuple[str, ...]:
        """The methods that a path has, () if there is no such path."""
        if path in self._posts:
            return ("POST",)
        return ("GET", "HEAD") if path in self._gets or path == "/v1/models" or path.startswith("/v1/models/") else ()

    async def _chat(self, body: bytes, caller: Caller, send: Send) -> None:
        answered = await self._core.chat(body, caller)
        if isinstance(answered, Reply):
            await _send_reply(send, answered)
        else:
            await _send_stream(send, answered)

    async def _embed(self, body: bytes, caller: Caller, send: Send) -> None:
        await _send_reply(send, await self._core.embed(body, caller))

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


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """The whole body, refused as soon as it is known to be too long."""
    told = headers.get(b"content-length", b"0")
    if told.isdigit() and int(told) > MOST_BODY_BYTES:
        raise _too_long(int(told))
    kind = headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        shown = kind.decode("latin-1")[:100]
        raise Fault(415, f"The content type is {shown!r}.", "Send application/json.", "unsupported_media_type")
    message = await receive()
    if not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = [message.get("body", b"")]
    size = len(parts[0])
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Fault(400, "The body broke off.", "Send it again.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BODY_BYTES:
            raise _too_long(size)
    return b"".join(parts)


async def _send_reply(send: Send, reply: Reply) -> None:
    body = reply.body
    record = reply.record
    await send({
        "type": "http.response.start", "status": 200,
        "headers": [
            JSON_TYPE, (b"content-length", str(len(body)).encode()), (b"x-request-id", record.id.encode()),
            *_told(record.request_id),
        ],
    })  # fmt: skip
    await send({"type": "http.response.body", "body": body})


async def _send_stream(send: Send, stream: AnyStream) -> None:
    try:
        record = stream.record
        headers = [*EVENT_TYPE, (b"x-request-id", record.id.encode()), *_told(record.request_id)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while block := await stream.next():
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        stream.close()


async def _send_json(send: Send, status: int, value: Json) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    headers = [JSON_TYPE, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_fault(send: Send, fault: Fault) -> None:
    body = fault.to_bytes()
    headers = [JSON_TYPE, (b"content-length", str(len(body)).encode()), *_told(fault.request_id)]
    if fault.call_id:
        headers.append((b"x-request-id", fault.call_id.encode()))
    if fault.retry_after_s is not None:
        headers.append((b"retry-after", str(max(1, round(fault.retry_after_s))).encode()))
    if fault.status == 401 and not fault.provider:
        headers.append((b"www-authenticate", b"Bearer"))
    if fault.allow:
        headers.append((b"allow", ", ".join(fault.allow).encode()))
    if fault.status in (413, 415):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _say_stopped(send: Send) -> None:
    """The server stops in the middle of a call: an error, or where a stream has begun, an event."""
    fault = Fault(503, "The server was stopped.", "Ask again when it runs again.", "stopped")
    try:
        await _send_fault(send, fault)
    except RuntimeError:  # a status has been sent already
        body = sse.event({"choices": [], **fault.to_json()}) + sse.DONE
        with contextlib.suppress(RuntimeError):
            await send({"type": "http.response.body", "body": body})


def _told(request_id: str) -> tuple[tuple[bytes, bytes], ...]:
    """The provider's name for the call, if it gave one that may stand in a header."""
    if request_id and request_id.isascii() and request_id.isprintable():
        return ((b"x-provider-request-id", request_id.encode()),)
    return ()


def _too_long(size: int) -> Fault:
    return Fault(413, f"The body has {size:,} bytes.", f"Send at most {MOST_BODY_BYTES:,}.", "request_too_large")


def _nowhere(method: str, path: str, allowed: tuple[str, ...]) -> Fault:
    if allowed:
        remedy = f"Use {' or '.join(allowed)}; see /openapi.json."
        return Fault(
            405, f"{method[:20]} is not possible on {path[:200]}.", remedy, "method_not_allowed", allow=allowed
        )
    remedy = "There is /v1/chat/completions, /v1/embeddings and /v1/models; see /openapi.json."
    return Fault(404, f"There is no path {path[:200]}.", remedy, "not_found")


async def _not_http(scope: Scope, receive: Receive, send: Send) -> None:
    """uvicorn's start and end; a WebSocket is turned away."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    else:
        await send({"type": "websocket.close", "code": 1003})

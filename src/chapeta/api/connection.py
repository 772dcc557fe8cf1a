"""One caller's HTTP/1.1 connection, on asyncio's bare protocol: requests in, in turn, answers out.

uvicorn's server opens the port, stops gracefully and owns the connections; its own protocol, made for any application, takes
50 of the 70 µs that an empty call costs there (design/gateway-speed.md). httptools (Node's parser) reads the requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, cast
from urllib.parse import unquote

import httptools

from chapeta.api.exchange import Exchange
from chapeta.gateway.fault import Fault

MOST_HEAD_BYTES = 64 * 1024
MOST_BODY_BYTES = 32 * 1024 * 1024  # a few dozen images; more is refused before it is read
MOST_THROWN_BYTES = 64 * 1024  # of a refused request's body: it is read to its end, so that the connection can stay
IDLE_S = 75.0  # between two calls
READ_S = 60.0  # a request that comes no further for so long is given up
LINGER_S = 5.0
MOST_LINGERING_BYTES = 128 * 1024 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class App(Protocol):
    """What answers."""

    def admit(self, exchange: Exchange) -> None:
        """Whether a request may come in, told by its headers before the body is read. Sets `caller` or `refused`."""

    async def serve(self, exchange: Exchange) -> None:
        """Answers an admitted request. It is cancelled when the caller goes away, or the server stops."""

    def refuse(self, exchange: Exchange, fault: Fault) -> None:
        """Answers with an error."""


class Server(Protocol):
    """What uvicorn knows of its connections."""

    connections: set[asyncio.Protocol]
    tasks: set[asyncio.Task[None]]


class Connection(asyncio.Protocol):
    """Reads requests and has them answered one after the other. Belongs to one event loop."""

    __slots__ = (
        "_app", "_bodies", "_body_bytes", "_current", "_deaf", "_gone", "_head_bytes", "_loop", "_parser", "_queue",
        "_reading", "_server", "_stopping", "_task", "_thrown_bytes", "_touched_s", "_url", "drained", "transport",
    )  # fmt: skip

    def __init__(self, app: App, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._server = server
        self._loop = loop
        self._parser = httptools.HttpRequestParser(self)
        self._reading: Exchange | None = None  # the request that comes in
        self._current: Exchange | None = None  # the one that is answered
        self._task: asyncio.Task[None] | None = None
        self._queue: deque[Exchange] = deque()  # those that a caller sent without waiting
        self._url = b""
        self._head_bytes = -1  # of a head that is not complete, else -1
        self._bodies: list[bytes] = []
        self._body_bytes = 0
        self._gone = False
        self._deaf = False  # what else comes is thrown away: the connection closes after its answers
        self._thrown_bytes = 0
        self._stopping = False
        self._touched_s = 0.0
        self.drained: asyncio.Future[None] | None = None

    def sweep(self, now_s: float) -> None:
        """Closes a connection that is idle, or whose request does not come on. `now_s`: time of the loop."""
        silent_s = now_s - self._touched_s
        if self._current is not None:
            return
        if self._reading is not None:
            if silent_s > READ_S:
                self._give_up(Fault(408, f"The request came no further for {READ_S:.0f} seconds.", "Send it again."))
        elif silent_s > (LINGER_S if self._deaf else IDLE_S):
            self.transport.close()

    def write(self, data: bytes) -> None:
        """Sends on; nothing happens where the caller has gone."""
        if not self._gone:
            self.transport.write(data)

    def shutdown(self) -> None:
        """The server stops: what is under way may end."""
        self._stopping = True
        if self._current is not None:
            self._current.keep = False
        else:
            self.transport.close()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._touched_s = self._loop.time()
        self._server.connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._gone = self._deaf = True
        self._queue.clear()
        self._server.connections.discard(self)
        if self._task is not None:
            self._task.cancel()  # the provider's work, and its bill, stop with the caller
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._head_bytes < 0:  # a head has to come within the time; a body only has to come on
            self._touched_s = self._loop.time()
        if self._deaf:
            self._thrown_bytes += len(data)
            if self._thrown_bytes > MOST_LINGERING_BYTES:
                self.transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._deaf = True  # we speak HTTP/1.1 on; what was asked is answered
            for exchange in (self._current, *self._queue):
                if exchange is not None:
                    exchange.keep = False
        except httptools.HttpParserError as error:
            self._give_up(Fault(400, f"This is not HTTP ({error}).", "Send an HTTP/1.1 request."))
        else:
            if self._head_bytes >= 0:
                self._head_bytes += len(data)
                if self._head_bytes > MOST_HEAD_BYTES:
                    told = f"The headers are longer than {MOST_HEAD_BYTES:,} bytes."
                    self._give_up(Fault(431, told, "Send fewer.", "headers_too_large"))

    def pause_writing(self) -> None:
        self.drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self.drained = self.drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # httptools' side

    def on_message_begin(self) -> None:
        self._reading = Exchange(self)
        self._url = b""
        self._bodies = []
        self._body_bytes = 0
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading is not None:
            self._reading.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        exchange = self._reading
        self._head_bytes = -1
        if exchange is None:
            return
        exchange.method = self._parser.get_method().decode("latin-1")
        exchange.path = _path(self._url)
        exchange.speak(self._parser.get_http_version())
        headers = exchange.headers
        told = headers.get(b"content-length", b"0")
        length = int(told) if told.isdigit() else 0
        self._app.admit(exchange)
        if exchange.refused is None and length > MOST_BODY_BYTES:
            exchange.refused = _too_long(length)
        if exchange.refused is not None:
            if length > MOST_THROWN_BYTES or b"transfer-encoding" in headers:
                self._refuse_now(exchange)
        elif headers.get(b"expect", b"").lower() == b"100-continue" and self._current is None:
            self.transport.write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        exchange = self._reading
        if exchange is None or exchange.refused is not None:
            return
        self._bodies.append(body)
        self._body_bytes += len(body)
        if self._body_bytes > MOST_BODY_BYTES:
            exchange.refused = _too_long(self._body_bytes)
            self._refuse_now(exchange)

    def on_message_complete(self) -> None:
        exchange, self._reading = self._reading, None
        if exchange is None:
            return
        bodies, self._bodies = self._bodies, []
        exchange.body = bodies[0] if len(bodies) == 1 else b"".join(bodies)
        exchange.keep = exchange.keep and self._parser.should_keep_alive()
        self._take(exchange)

    # one after the other

    def _take(self, exchange: Exchange) -> None:
        """A request is complete: it is answered now, or after those before it."""
        if self._current is None:
            self._start(exchange)
        else:
            self._queue.append(exchange)
            self.transport.pause_reading()

    def _start(self, exchange: Exchange) -> None:
        self._current = exchange
        exchange.keep = exchange.keep and not self._stopping
        task = self._task = self._loop.create_task(self._serve(exchange))
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    async def _serve(self, exchange: Exchange) -> None:
        try:
            if exchange.refused is not None:
                self._app.refuse(exchange, exchange.refused)
            else:
                await self._app.serve(exchange)
        finally:
            self._current = self._task = None
            self._touched_s = self._loop.time()
            if self._gone:
                pass
            elif not exchange.ended:
                self.transport.abort()  # the caller has gone, or must not take half an answer for a whole one
            elif self._deaf and self.transport.can_write_eof():
                self.transport.write_eof()  # closing now would take the answer from a caller who is still sending
            elif not exchange.keep:
                self.transport.close()
            elif self._queue:
                self._start(self._queue.popleft())
                if not self._queue:
                    self.transport.resume_reading()

    def _refuse_now(self, exchange: Exchange) -> None:
        """Refuses a request whose body is not worth reading: the connection closes after its answers."""
        self._reading = None
        self._bodies = []
        self._deaf = True
        exchange.keep = False
        self._take(exchange)

    def _give_up(self, fault: Fault) -> None:
        exchange = self._reading or Exchange(self)
        exchange.refused = fault
        self._refuse_now(exchange)


def _path(url: bytes) -> str:
    """The path of a request's target, which may also be a whole address (RFC 9112, 3.2)."""
    if not url.startswith((b"/", b"*")):
        try:
            url = httptools.parse_url(url).path or b"/"
        except httptools.HttpParserInvalidURLError:
            return "?"
    path = url.partition(b"?")[0].decode("latin-1")
    return unquote(path) if "%" in path else path


def _too_long(size: int) -> Fault:
    return Fault(413, f"The body has {size:,} bytes.", f"Send at most {MOST_BODY_BYTES:,}.", "request_too_large")

"""One HTTP/1.1 connection to a provider, on asyncio's bare protocol: the hot path's lower half.

Libraries were measured first (design/gateway-speed.md): the quickest of them takes twice the time of this, the usual ones
ten times and more. httptools (Node's parser) reads the answers; what is left is bytes out, bytes in, and who waits for them.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import cast

import httptools

from chapeta.gateway.fault import Fault
from chapeta.gateway.http.response import Response


class Connection(asyncio.Protocol):
    """A connection that serves one call at a time; `on_idle` is told when it can take the next, `on_lost` when it is gone.

    `touched_s`: loop time of the last sign of life. `limit_s`: how long it may be silent; whoever watches calls `stall`.
    """

    __slots__ = (
        "_begun", "_bodies", "_head", "_on_idle", "_on_lost", "_parser", "_response", "_skip", "_stall_s", "_whole",
        "closed", "limit_s", "loop", "on_body", "reused", "touched_s", "transport",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_idle: Callable[[Connection], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self.loop = loop
        self.closed = False
        self.reused = False
        self.touched_s = 0.0
        self.limit_s = 0.0
        self._on_idle = on_idle
        self._on_lost = on_lost
        # pieces of the body are put together a read at a time: a stream's chunks are small and many
        self._bodies: list[bytes] = []
        self.on_body = self._bodies.append
        self._parser = httptools.HttpResponseParser(self)
        self._response: Response | None = None
        self._head: asyncio.Future[Response] | None = None
        self._whole = False
        self._begun = False
        self._skip = False
        self._stall_s = STALL_S

    async def send(self, request: bytes, whole: bool, limit_s: float) -> Response:
        """Sends a request; returns its response when the headers are in, or with `whole` when all of it is.

        Raises Fault. If it is cancelled, the connection is closed and the provider's work stops.
        """
        response = self._response = Response(self, whole)
        self._whole = whole
        self._begun = False
        self.limit_s = limit_s
        self._stall_s = min(limit_s, STALL_S)
        self.touched_s = self.loop.time()
        head: asyncio.Future[Response] = self.loop.create_future()
        self._head = head
        self.transport.write(request)
        try:
            return await head
        except asyncio.CancelledError:
            if self._response is response:  # else it is answered, and the connection may serve the next call already
                self.abort()
            raise

    @property
    def busy(self) -> bool:
        return self._response is not None

    def stall(self) -> None:
        """Ends a call that has been silent for too long."""
        waited = self.loop.time() - self.touched_s
        remedy = "Try again, or choose another model or provider."
        self._fail(Fault(504, f"The provider was silent for {waited:.0f} seconds.", remedy, "stalled", sent=True))

    def abort(self) -> None:
        self.closed = True
        self.transport.abort()

    def pause(self) -> None:
        self.transport.pause_reading()
        self.limit_s = float("inf")  # it is our reader who is slow, not the provider

    def resume(self) -> None:
        if not self.closed:
            self.limit_s = self._stall_s
            self.touched_s = self.loop.time()
            self.transport.resume_reading()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance

    def data_received(self, data: bytes) -> None:
        self.touched_s = self.loop.time()
        try:
            self._parser.feed_data(data)
            if self._bodies:
                self._hand_on()
        except (httptools.HttpParserError, zlib.error) as error:
            what = "HTTP" if isinstance(error, httptools.HttpParserError) else "what its content-encoding says"
            self._fail(Fault(502, f"The provider's answer is not {what}.", NOT_A_PROVIDER, "garbage", sent=True))
        except Fault as fault:
            self._fail(fault)
        else:
            if self._response is not None:
                self._response.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._on_lost(self)
        if not self._begun:
            message, code = "The provider closed the connection without an answer.", "closed"
        else:
            message, code = "The provider's answer broke off before its end.", "cut"
        remedy = "Try again; if it stays so, choose another provider." if exc is None else f"({exc})"
        # a kept connection that ends at once was closed before our call came; one that ends later may have worked on it
        early = self.loop.time() - self.touched_s < EARLY_S
        self._end(Fault(502, message, remedy, code, sent=self._begun or not self.reused or not early))

    # httptools' side

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response is not None:
            self._response.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        response = self._response
        if response is None:  # nobody asked: an answer out of turn
            self.abort()
            return
        self._skip = status < 200
        if self._skip:
            response.headers.clear()
            return
        self._begun = True
        response.status = status
        headers = response.headers
        until_close = (
            b"content-length" not in headers and b"transfer-encoding" not in headers and status not in (204, 304)
        )
        response.expect(until_close)
        if not self._whole:
            self._hand_over()

    def on_message_complete(self) -> None:
        if self._skip:
            self._skip = False
            return
        keep = self._parser.should_keep_alive()
        if self._bodies:
            self._hand_on()
        self._end(None)
        if keep and not self.closed:
            self.reused = True
            self._on_idle(self)
        else:
            self.closed = True
            self.transport.close()

    def _hand_on(self) -> None:
        """Gives the pieces of the body that have come to the response."""
        bodies = self._bodies
        body = bodies[0] if len(bodies) == 1 else b"".join(bodies)
        bodies.clear()
        if not self._whole:
            self.limit_s = self._stall_s  # it has begun to speak
        if self._response is not None:
            self._response.feed(body)

    def _hand_over(self) -> None:
        head, self._head = self._head, None
        if head is not None and not head.done() and self._response is not None:
            head.set_result(self._response)

    def _fail(self, fault: Fault) -> None:
        self._end(fault)
        self.abort()

    def _end(self, fault: Fault | None) -> None:
        response, self._response = self._response, None
        if response is None:
            return
        response.end(fault)
        head, self._head = self._head, None
        if head is not None and not head.done():
            if response.fault is None and response.status:
                head.set_result(response)
            else:
                head.set_exception(response.fault or fault or Fault(502, "The provider closed the connection."))


STALL_S = 120.0
EARLY_S = 0.5
NOT_A_PROVIDER = "Check the address: `chapeta keys list` shows it."

"""Connections to providers, kept open between calls; calls that go silent are ended."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

from chapeta.gateway.fault import Fault
from chapeta.gateway.http.connection import Connection
from chapeta.gateway.http.response import Response

CONNECT_S = 10.0
IDLE_S = 30.0  # shorter than any provider keeps an idle connection
MOST_CONNECTIONS = 1024  # to one provider; further calls wait their turn
SWEEP_S = 0.5


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a provider listens."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


@dataclass(slots=True)
class _Place:
    """The connections to one origin."""

    idle: list[Connection] = field(default_factory=list)
    open: set[Connection] = field(default_factory=set)
    connecting: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class Pool:
    """Sends requests over kept connections, at most so many to one provider. Belongs to one event loop."""

    def __init__(self, most_connections: int = MOST_CONNECTIONS) -> None:
        self._most_connections = most_connections
        self._places: dict[Origin, _Place] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False

    async def send(self, origin: Origin, request: bytes, whole: bool, limit_s: float) -> Response:
        """Sends a request; the response has its headers, or with `whole` its body too. Raises Fault.

        A kept connection that the provider had closed meanwhile is replaced once: nothing was answered on it.
        """
        if self._closed:
            raise Fault(503, "The gateway is closing.", "Ask again when it runs again.", "stopped")
        place = self._places.get(origin)
        if place is None:
            place = self._places[origin] = _Place()
            if self._sweeper is None:
                self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        while place.idle:
            connection = place.idle.pop()
            if connection.closed or connection.transport.is_closing():
                continue
            try:
                return await connection.send(request, whole, limit_s)
            except Fault as fault:
                if fault.sent or fault.code != "closed":
                    raise
        if self._closed:
            raise Fault(503, "The gateway is closing.", "Ask again when it runs again.", "stopped")
        connection = await self._connect(origin, place, limit_s)
        return await connection.send(request, whole, limit_s)

    def close(self) -> None:
        """Closes every connection; calls in flight end with a Fault."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for place in self._places.values():
            for connection in tuple(place.open):
                connection.abort()
            for turn in place.waiting:
                turn.cancel()
        self._places.clear()

    async def _connect(self, origin: Origin, place: _Place, patience_s: float) -> Connection:
        """A new connection, or one that has become free while all places were taken."""
        loop = asyncio.get_running_loop()
        while len(place.open) + place.connecting >= self._most_connections:
            turn: asyncio.Future[None] = loop.create_future()
            place.waiting.append(turn)
            try:
                async with asyncio.timeout(patience_s):
                    await turn
            except TimeoutError:
                message = f"{origin} has {self._most_connections} calls, and none ended in {patience_s:.0f} seconds."
                raise Fault(503, message, "Send fewer calls at once.", "busy") from None
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    _next(place)  # our turn goes to who waits behind us
                raise
            while place.idle:
                connection = place.idle.pop()
                if not connection.closed:
                    return connection

        def make() -> Connection:
            return Connection(loop, idle, lost)

        def idle(connection: Connection) -> None:
            place.idle.append(connection)
            _next(place)

        def lost(connection: Connection) -> None:
            place.open.discard(connection)
            _next(place)

        place.connecting += 1
        connected = False
        try:
            async with asyncio.timeout(CONNECT_S):
                context = tls_context() if origin.tls else None
                _, connection = await loop.create_connection(make, origin.host, origin.port, ssl=context)
            connected = True
        except TimeoutError:
            raise _unreachable(origin, f"no connection within {CONNECT_S:.0f} seconds") from None
        except (OSError, ssl.SSLError) as error:
            raise _unreachable(origin, os.strerror(error.errno) if error.errno else str(error)) from None
        finally:
            place.connecting -= 1
            if not connected:
                _next(place)  # the place is free for who waits
        place.open.add(connection)
        return connection

    async def _sweep(self) -> None:
        """Ends silent calls and closes connections that nobody has used for a while."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = asyncio.get_running_loop().time()
            for place in self._places.values():
                for connection in tuple(place.open):
                    if connection.busy:
                        if now - connection.touched_s > connection.limit_s:
                            connection.stall()
                    elif now - connection.touched_s > IDLE_S:
                        connection.abort()
                place.idle = [c for c in place.idle if not c.closed]


def _next(place: _Place) -> None:
    while place.waiting:
        turn = place.waiting.popleft()
        if not turn.done():
            turn.set_result(None)
            return


def _unreachable(origin: Origin, reason: str) -> Fault:
    remedy = "Check the network and the address (`chapeta keys list` shows it), then try again."
    return Fault(502, f"{origin} cannot be reached ({reason}).", remedy, "unreachable")


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """The system's certificates, and certifi's beside them (a Python of its own on macOS has none)."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context

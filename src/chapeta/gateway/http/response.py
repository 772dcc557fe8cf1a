"""An answer of a provider while it comes in, with back-pressure: a slow reader slows the provider, not the memory down."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from typing import Protocol

from chapeta.gateway.fault import Fault

PAUSE_BYTES = 256 * 1024  # waiting for a slow reader: above this the provider is not read from any more
MOST_BODY_BYTES = 256 * 1024 * 1024


class Line(Protocol):
    """The connection that an answer comes over."""

    loop: asyncio.AbstractEventLoop

    def abort(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Response:
    """An answer as it comes in. Status and headers are there when `Connection.send` returns it.

    headers: lower-case names; of a repeated header the last one.
    """

    __slots__ = (
        "_buffered", "_chunks", "_connection", "_inflate", "_left", "_paused", "_until_close", "_waiter",
        "_whole",
        "complete", "fault", "headers", "size", "status",
    )  # fmt: skip

    def __init__(self, connection: Line, whole: bool) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.complete = False
        self.fault: Fault | None = None
        self.size = 0
        self._connection = connection
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._whole = whole  # read in one piece, so there is no reader yet who could be slow
        self._left = False
        self._paused = False
        self._until_close = False
        self._inflate: zlib._Decompress | None = None
        self._waiter: asyncio.Future[None] | None = None

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    async def more(self) -> bytes:
        """The bytes that have come since the last call, waiting for some; b"" at the end. Raises Fault if it broke off."""
        while not self._chunks:
            if self.fault is not None:
                raise self.fault
            if self.complete:
                return b""
            self._waiter = self._connection.loop.create_future()
            await self._waiter
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._paused:
            self._paused = False
            self._connection.resume()
        return data

    async def read(self, most_bytes: int = MOST_BODY_BYTES) -> bytes:
        """The whole body."""
        parts: list[bytes] = []
        size = 0
        while part := await self.more():
            parts.append(part)
            size += len(part)
            if size > most_bytes:
                self.abort()
                raise Fault(
                    502, f"The provider's answer is longer than {most_bytes:,} bytes.", code="too_long", sent=True
                )
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def abort(self) -> None:
        """Ends the call: the provider sees the connection close. Nothing happens if it is complete."""
        if not self.complete:
            self._connection.abort()

    async def finish(self, patience_s: float) -> None:
        """Waits for the end of an answer of which all that matters has come."""
        with contextlib.suppress(TimeoutError, Fault):
            async with asyncio.timeout(patience_s):
                while await self.more():
                    pass

    def leave(self) -> None:
        """Nobody reads on: the rest, if there is one, is thrown away, and the connection serves others."""
        self._left = True
        self._chunks.clear()
        if self._paused:
            self._paused = False
            self._connection.resume()

    def feed(self, data: bytes) -> None:
        """A piece of the body has come."""
        if self._left:
            return
        if self._inflate is not None:
            data = self._inflate.decompress(data)
        self.size += len(data)
        self._buffered += len(data)
        self._chunks.append(data)
        if self._whole:
            if self.size > MOST_BODY_BYTES:
                raise Fault(
                    502, f"The provider's answer is longer than {MOST_BODY_BYTES:,} bytes.", code="too_long", sent=True
                )
        elif self._buffered > PAUSE_BYTES and self._waiter is None and not self._paused:
            self._paused = True
            self._connection.pause()

    def expect(self, until_close: bool) -> None:
        """Headers are in. `until_close`: the body's end is that of the connection."""
        self._until_close = until_close
        if self.headers.get(b"content-encoding", b"") in (b"gzip", b"deflate"):
            self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def end(self, fault: Fault | None) -> None:
        """No more will come: the answer is whole, or it broke off."""
        if self._paused:  # the connection is free for others, however slow this reader is
            self._paused = False
            self._connection.resume()
        if fault is None or self._until_close:
            self.complete = True
        else:
            self.fault = fault
        self.wake()

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and (self._chunks or self.complete or self.fault is not None):
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

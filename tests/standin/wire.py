"""HTTP/1.1 as bytes: requests read and answers written by hand, so that a fault can break any of its rules."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]
Framing = Literal["chunked", "length", "close"]

MOST_HEAD_BYTES = 1 << 20
REASONS = {status.value: status.phrase for status in HTTPStatus}
NO_LINGER = struct.pack("ii", 1, 0)  # SO_LINGER that turns a close into a reset


@dataclass(slots=True)
class Record:
    """A request as it came, and how its answer went. Written by the server's thread, read by the test's.

    path: below the base, without the query; headers: lower-case names; json: None where the body is no JSON object.
    connection: which TCP connection it came on, counted from 1; fault: what was done to it, "" for nothing.
    Times are of `time.monotonic()`, None as long as it has not happened. `bytes_sent` have left this process.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    connection: int
    json: Json | None = None
    fault: str = ""
    status: int = 0
    stalled: bool = False
    bytes_sent: int = 0
    received_at: float = field(default_factory=time.monotonic)
    first_byte_at: float | None = None
    last_byte_at: float | None = None
    finished_at: float | None = None
    disconnected_at: float | None = None

    @property
    def finished(self) -> bool:
        """The answer was written to its end, or as far as the fault lets it go."""
        return self.finished_at is not None

    @property
    def disconnected(self) -> bool:
        """The client went away before the end of its answer."""
        return self.disconnected_at is not None

    @property
    def quiet_s(self) -> float:
        """How long no byte of the answer could be sent: with a client that does not read, this grows."""
        return time.monotonic() - (self.last_byte_at or self.received_at)


@dataclass(slots=True)
class Reply:
    """An answer before it is sent. pieces: the events of a stream, or the parts of a JSON body."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]
    streamed: bool = False

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)


class Line(asyncio.StreamReaderProtocol):
    """A client's connection. `gone` is set when the client hangs up, `gone_at` is when; `busy` while it awaits an answer."""

    def __init__(self, serve: Any, number: int) -> None:
        super().__init__(asyncio.StreamReader(limit=MOST_HEAD_BYTES), serve)
        self.number = number
        self.busy = False
        self.gone = asyncio.Event()
        self.gone_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        super().connection_made(transport)

    def eof_received(self) -> bool:
        self._hang_up()
        return bool(super().eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self._hang_up()
        super().connection_lost(exc)

    def _hang_up(self) -> None:
        if not self.gone.is_set():
            self.gone_at = time.monotonic()
            self.gone.set()


class Call:
    """One answer being written. All bytes go through here, and stop with ConnectionError when the client is gone."""

    def __init__(self, line: Line, writer: asyncio.StreamWriter, record: Record) -> None:
        self.line = line
        self.record = record
        self.transport = writer.transport
        self.keep = record.headers.get("connection", "").lower() != "close"
        self.released = asyncio.Event()
        self._writer = writer
        self._framing: Framing = "length"
        self._handed = 0

    async def play(self, reply: Reply) -> None:
        """The answer as it should be."""
        await self.begin(reply, 0)
        await self.go_on(reply, 0)

    async def begin(self, reply: Reply, after: int) -> None:
        """The head and the first `after` pieces, at most all but one."""
        await self.start(reply)
        for piece in reply.pieces[: min(after, len(reply.pieces) - 1)]:
            await self.write(piece)

    async def go_on(self, reply: Reply, after: int) -> None:
        """What `begin` left."""
        for piece in reply.pieces[min(after, len(reply.pieces) - 1) :]:
            await self.write(piece)
        await self.end()

    async def start(
        self, reply: Reply, framing: Framing | None = None, length: int | None = None, version: str = "HTTP/1.1"
    ) -> None:
        """Status line and headers. Streams are chunked, other answers have a length, unless it is said otherwise."""
        self._framing = framing or ("chunked" if reply.streamed else "length")
        headers = {"content-type": "text/event-stream" if reply.streamed else "application/json", **reply.headers}
        if self._framing == "chunked":
            headers["transfer-encoding"] = "chunked"
        elif self._framing == "length":
            headers["content-length"] = str(len(reply.content) if length is None else length)
        else:
            self.keep = False
        if not self.keep and version == "HTTP/1.1":
            headers.setdefault("connection", "close")
        self.record.status = reply.status
        lines = [f"{version} {reply.status} {REASONS.get(reply.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def write(self, data: bytes) -> None:
        """A part of the body, framed as the headers said."""
        if data:
            await self.raw(self.framed(data))

    def framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._framing == "chunked" else data

    async def end(self) -> None:
        """The end of the body."""
        if self._framing == "chunked":
            await self.raw(b"0\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        """Bytes as they are; waits while the client does not take them."""
        self._check()
        self._writer.write(data)
        self._handed += len(data)
        self._count()
        await self._writer.drain()
        self._count()

    async def pause(self, seconds: float) -> None:
        """Waits, but not for a client that is gone."""
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.line.gone.wait()
        self._check()

    async def hold(self) -> None:
        """Stalls until the test releases it, or the client goes away."""
        self.record.stalled = True
        waits = [asyncio.ensure_future(event.wait()) for event in (self.released, self.line.gone)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self.record.stalled = False
        self._check()

    def drop(self, reset: bool = False) -> None:
        """Closes the connection here and now, with what was written flushed (or reset, with whatever is lost by it)."""
        self.keep = False
        if reset:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._writer.close()

    def _check(self) -> None:
        if self.line.gone.is_set():
            raise ConnectionResetError("the client is gone")

    def _count(self) -> None:
        sent = self._handed - self.transport.get_write_buffer_size()
        if sent > self.record.bytes_sent:
            self.record.bytes_sent = sent
            self.record.last_byte_at = time.monotonic()
            self.record.first_byte_at = self.record.first_byte_at or self.record.last_byte_at


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, base: str) -> Record | None:
    """The next request on a connection, None at its end. ValueError if it is not HTTP."""
    line = writer.transport.get_protocol()
    assert isinstance(line, Line)
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise ValueError(f"The request's head is longer than {MOST_HEAD_BYTES:,} bytes.") from None
    except asyncio.IncompleteReadError as rest:
        if rest.partial.strip():
            raise ValueError("The request's head is not complete.") from None
        return None
    line.busy = True
    first, *lines = head.decode("latin-1").strip("\r\n").split("\r\n")
    method, target, version = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(reader, headers)
    split = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(split.query).items()}
    record = Record(method, unquote(split.path).removeprefix(base), query, headers, body, line.number)
    try:
        value = json.loads(body) if body else None
    except ValueError:
        value = None
    record.json = value if isinstance(value, dict) else None
    return record


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while (await reader.readline()).strip():
        pass
    return b"".join(parts)

"""One request of a caller and the answer to it, as the application sees them."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Protocol

from chapeta.gateway.core import Caller
from chapeta.gateway.fault import Fault

_lines = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Line(Protocol):
    """The connection that a request came over. drained: waited for where the caller reads too slowly."""

    drained: asyncio.Future[None] | None

    def write(self, data: bytes) -> None:
        """Sends on; nothing happens where the caller has gone."""


class Exchange:
    """A request, and where its answer goes: `answer` in one piece, or `begin`, `write` and `end`.

    headers: lower-case names; of a repeated header the last one. path: without the query, percent-decoded.
    caller: set when the request was let in; refused: why it was not. keep: the connection serves further requests.
    Headers of answers are given as lines, each with its \\r\\n.
    """

    __slots__ = (
        "_chunked", "_head", "_line", "begun", "body", "caller", "ended", "headers", "keep", "method", "path",
        "refused",
    )  # fmt: skip

    def __init__(self, line: Line) -> None:
        self.method = ""
        self.path = ""
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.caller: Caller | None = None
        self.refused: Fault | None = None
        self.keep = True
        self.begun = False  # of the answer, nothing can be taken back
        self.ended = False
        self._line = line
        self._chunked = True
        self._head = b""

    def speak(self, version: str) -> None:
        """The caller's HTTP version: before 1.1 an answer of unknown length ends with the connection."""
        if version != "1.1":
            self._chunked = self.keep = False

    def answer(self, status: int, headers: bytes, body: bytes) -> None:
        """The whole answer."""
        self.begun = self.ended = True
        length = b"content-length: %d\r\n" % len(body)
        shown = body if self.method != "HEAD" else b""
        self._line.write(b"".join((_status(status), _date(), headers, length, self._close(), b"\r\n", shown)))

    def begin(self, status: int, headers: bytes) -> None:
        """The head of an answer that comes in pieces; it is sent with the first."""
        self.begun = True
        length = b"transfer-encoding: chunked\r\n" if self._chunked else b""
        self._head = b"".join((_status(status), _date(), headers, length, self._close(), b"\r\n"))

    async def write(self, data: bytes) -> None:
        """A piece of the answer, not empty; waits while the caller reads too slowly."""
        head, self._head = self._head, b""
        line = self._line
        line.write(b"%b%x\r\n%b\r\n" % (head, len(data), data) if self._chunked else head + data)
        if line.drained is not None:
            await line.drained

    def end(self, data: bytes = b"") -> None:
        """The end of an answer that came in pieces, and a last one if there is one."""
        self.ended = True
        if self._chunked:
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
        self._line.write(self._head + data)

    def _close(self) -> bytes:
        return b"" if self.keep else b"connection: close\r\n"


def _status(code: int) -> bytes:
    """The status line; providers have codes of their own, such as 524."""
    return _lines.get(code) or b"HTTP/1.1 %d \r\n" % code


_second = 0
_line = b""


def _date() -> bytes:
    """The Date header, made once a second."""
    global _second, _line
    now = int(time.time())
    if now != _second:
        _second, _line = now, b"date: %b\r\n" % formatdate(now, usegmt=True).encode()
    return _line

"""A caller's connection: requests however they come in, answers in turn, and no way to hold the server up."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.api import connection
from chapeta.api.connection import Connection
from chapeta.api.exchange import Exchange
from chapeta.gateway.fault import Fault

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter, "Echo"], Awaitable[Any]]


class Echo:
    """Answers with what was asked; `/slow` waits to be cancelled, `/pieces` comes in two, `/closed` lets nobody in."""

    def __init__(self) -> None:
        self.served: list[str] = []
        self.cancelled = asyncio.Event()
        self.lines: list[Connection] = []
        self.uvicorn: Any = SimpleNamespace(connections=set(), tasks=set())

    def admit(self, exchange: Exchange) -> None:
        if exchange.path == "/closed":
            exchange.refused = Fault(401, "closed")

    async def serve(self, exchange: Exchange) -> None:
        self.served.append(exchange.path)
        if exchange.path == "/slow":
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                self.cancelled.set()
        elif exchange.path == "/pieces":
            exchange.begin(200, b"")
            await exchange.write(b"first ")
            await asyncio.sleep(0.01)
            await exchange.write(b"second")
            exchange.end()
        elif exchange.path == "/long":
            exchange.begin(200, b"")
            for _ in range(400):
                await exchange.write(b"x" * 65536)
            exchange.end()
        elif exchange.path != "/silent":
            exchange.answer(200, b"", f"{exchange.method} {exchange.path} {exchange.body.decode()}".encode())

    def refuse(self, exchange: Exchange, fault: Fault) -> None:
        exchange.answer(fault.status, b"", fault.message.encode())


def talk(to: Talk) -> Any:
    """Runs a conversation with a server of its own."""

    async def main() -> Any:
        echo = Echo()
        loop = asyncio.get_running_loop()

        def make() -> Connection:
            echo.lines.append(Connection(echo, echo.uvicorn, loop))
            return echo.lines[-1]

        server = await loop.create_server(make, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            async with asyncio.timeout(20):
                return await to(reader, writer, echo)
        finally:
            writer.close()
            server.close()

    return asyncio.run(main())


def said(data: bytes, until: int | None = None) -> bytes:
    """What a server answers to bytes: all until it closes, or so many answers."""

    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Echo) -> bytes:
        writer.write(data)
        if until is None:
            return await reader.read()
        return b"".join([await one(reader) for _ in range(until)])

    found: bytes = talk(to)
    return found


async def one(reader: asyncio.StreamReader) -> bytes:
    """One answer with a content-length: its status and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.findall(rb"content-length: (\d+)", head)[0])
    return head[9:12] + b" " + await reader.readexactly(length) + b"\n"


def post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


GET = b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n"


@given(cuts=st.lists(st.integers(1, 400), max_size=30))
@settings(max_examples=40, deadline=None)
def test_requests_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    chunked = b"POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    data = post("/a", b"one") + GET % b"/b%20b?q=1" + chunked + post("/d", b"x" * 100)

    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Echo) -> bytes:
        at = 0
        for cut in cuts:
            writer.write(data[at : at + cut])
            await asyncio.sleep(0)
            at += cut
        writer.write(data[at:])
        return b"".join([await one(reader) for _ in range(4)])

    assert talk(to) == b"200 POST /a one\n200 GET /b b \n200 POST /c abcde\n200 POST /d " + b"x" * 100 + b"\n"


def test_many_requests_sent_at_once_are_answered_in_turn() -> None:
    data = b"".join(post(f"/{n}", b"") for n in range(500))
    assert said(data, 500).split(b"\n")[:-1] == [b"200 POST /%d " % n for n in range(500)]


def test_http_1_0_and_connection_close_end_with_the_answer() -> None:
    assert said(b"GET /a HTTP/1.0\r\n\r\n").endswith(b"connection: close\r\n\r\nGET /a ")
    assert said(post("/a", b"b", "connection: close")).endswith(b"POST /a b")
    assert said(b"GET /pieces HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nfirst second")
    assert b"chunked" not in said(b"GET /pieces HTTP/1.0\r\n\r\n")


def test_head_has_a_length_and_no_body() -> None:
    answer = said(b"HEAD /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert b"content-length: 8" in answer and answer.endswith(b"\r\n\r\n")


def test_a_whole_address_as_target() -> None:
    assert said(GET % b"http://example.org/a?b", 1) == b"200 GET /a \n"


@pytest.mark.parametrize("data", [b"nonsense\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_not_http_is_400(data: bytes) -> None:
    answer = said(data)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"This is not HTTP" in answer


def test_two_lengths_are_400_and_nothing_is_smuggled() -> None:
    head = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n"
    data = head + b"0\r\n\r\nGET /b HTTP/1.1\r\n\r\n"
    answer = said(data)
    assert b"/b" not in answer and b"400" in answer


@pytest.mark.parametrize("where", ["header", "target"])
def test_headers_without_end_are_431(where: str) -> None:
    start = b"GET /a HTTP/1.1\r\nx: " if where == "header" else b"GET /"
    answer = said(start + b"y" * 300_000)
    assert answer.startswith(b"HTTP/1.1 431 ")


def test_a_body_too_long_is_refused_by_its_length_and_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    told = said(post("/a", b"", "x: y").replace(b"Content-Length: 0", b"Content-Length: 99999999"))
    assert told.startswith(b"HTTP/1.1 413 ")
    monkeypatch.setattr(connection, "MOST_BODY_BYTES", 1000)
    chunk = b"1f4\r\n" + b"x" * 500 + b"\r\n"
    came = said(b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 3)
    assert came.startswith(b"HTTP/1.1 413 ")


def test_who_sends_a_body_that_is_refused_can_send_it_to_its_end_and_read_the_answer() -> None:
    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Echo) -> bytes:
        writer.write(post("/a", b"").replace(b"Content-Length: 0", b"Content-Length: 50000000"))
        for _ in range(50):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
        return await reader.read()

    assert talk(to).startswith(b"HTTP/1.1 413 ")


def test_a_refused_request_leaves_the_connection_open_for_the_next() -> None:
    assert said(post("/closed", b"secret") + post("/a", b"b"), 2) == b"401 closed\n200 POST /a b\n"


def test_expect_100_is_told_to_go_on_only_where_the_body_is_wanted() -> None:
    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Echo) -> bytes:
        writer.write(post("/a", b"xyz", "expect: 100-continue")[:-3])
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"xyz")
        return await one(reader)

    assert talk(to) == b"200 POST /a xyz\n"
    refused = post("/closed", b"", "expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 100000")
    assert said(refused).startswith(b"HTTP/1.1 401 ")


def test_a_wish_for_another_protocol_is_answered_in_http() -> None:
    asked = b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    assert said(asked).startswith(b"HTTP/1.1 200 ")


def test_who_goes_away_cancels_the_call() -> None:
    async def to(_: asyncio.StreamReader, writer: asyncio.StreamWriter, echo: Echo) -> None:
        writer.write(GET % b"/slow")
        while "/slow" not in echo.served:
            await asyncio.sleep(0.005)
        writer.close()
        await echo.cancelled.wait()
        while echo.uvicorn.tasks or echo.uvicorn.connections:
            await asyncio.sleep(0.005)

    talk(to)


def test_who_goes_away_before_the_call_begins_leaves_nothing_behind() -> None:
    async def to(_: asyncio.StreamReader, writer: asyncio.StreamWriter, echo: Echo) -> None:
        writer.write(GET % b"/a" * 50)
        writer.transport.abort()
        await asyncio.sleep(0.05)
        while echo.uvicorn.tasks or echo.uvicorn.connections:
            await asyncio.sleep(0.005)

    talk(to)


def test_a_slow_reader_holds_the_writer_not_the_memory() -> None:
    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, echo: Echo) -> int:
        line: socket.socket = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        writer.write(b"GET /long HTTP/1.0\r\n\r\n")
        await asyncio.sleep(0.3)
        waiting: int = echo.lines[0].transport.get_write_buffer_size()
        assert waiting < 1_000_000
        return len(await reader.read())

    assert talk(to) > 400 * 65536


def test_an_application_without_an_answer_breaks_off() -> None:
    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Echo) -> bytes:
        writer.write(GET % b"/silent")
        try:
            return await reader.read()
        except ConnectionError:
            return b""

    assert talk(to) == b""


def test_idle_and_stuck_connections_are_closed_in_time() -> None:
    async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, echo: Echo) -> bytes:
        writer.write(GET % b"/a")
        await one(reader)
        now = asyncio.get_running_loop().time()
        echo.lines[0].sweep(now + connection.IDLE_S - 1)
        writer.write(GET % b"/b")
        assert await one(reader) == b"200 GET /b \n"
        echo.lines[0].sweep(now + connection.IDLE_S + 5)
        return await reader.read()

    assert talk(idle) == b""

    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, echo: Echo) -> bytes:
        writer.write(b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab")
        await asyncio.sleep(0.05)
        now = asyncio.get_running_loop().time()
        echo.lines[0].sweep(now + 1)
        echo.lines[0].sweep(now + connection.READ_S + 1)
        return await reader.read()

    assert talk(stuck).startswith(b"HTTP/1.1 408 ")


def test_a_stop_lets_the_call_end_and_closes_what_is_idle() -> None:
    async def to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, echo: Echo) -> bytes:
        writer.write(GET % b"/pieces")
        while "/pieces" not in echo.served:
            await asyncio.sleep(0.001)
        echo.lines[0].shutdown()
        return await reader.read()

    assert talk(to).endswith(b"second\r\n0\r\n\r\n")

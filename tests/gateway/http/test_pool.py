"""Connections: kept, taken in turn, and given up."""

from __future__ import annotations

import asyncio
import json

import pytest

from chapeta.gateway.fault import Fault
from chapeta.gateway.http.pool import Origin, Pool
from chapeta.gateway.http.response import Response
from standin.server import KEY, Standin, nobody

GPT = "openai/gpt-4.1-mini"


def chat(upstream: Standin, text: str = "one two", **more: object) -> tuple[Origin, bytes]:
    """A place and the bytes of a question to the stand-in."""
    body = json.dumps({"model": GPT, "messages": [{"role": "user", "content": text}], **more}).encode()
    lines = f"POST /api/v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    head = f"{lines}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return Origin("127.0.0.1", upstream.port, False), head.encode() + body


async def ask(pool: Pool, upstream: Standin, **more: object) -> Response:
    origin, request = chat(upstream, **more)
    return await pool.send(origin, request, True, 5.0)


def test_calls_one_after_another_share_a_connection() -> None:
    async def run(upstream: Standin) -> None:
        pool = Pool()
        for _ in range(5):
            assert (await ask(pool, upstream)).status == 200
        pool.close()

    with Standin() as upstream:
        asyncio.run(run(upstream))
        assert upstream.connections_made == 1


def test_calls_at_once_wait_for_their_turn() -> None:
    async def run(upstream: Standin) -> None:
        pool = Pool(most_connections=3)
        answers = await asyncio.gather(*(ask(pool, upstream) for _ in range(30)))
        assert [a.status for a in answers] == [200] * 30
        pool.close()

    with Standin() as upstream:
        asyncio.run(run(upstream))
        assert upstream.connections_made <= 3


def test_where_nobody_listens_those_who_wait_are_told_too() -> None:
    async def run(origin: Origin) -> list[object]:
        pool = Pool(most_connections=2)
        calls = (pool.send(origin, b"GET / HTTP/1.1\r\n\r\n", True, 5.0) for _ in range(20))
        return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 10)

    with nobody() as url:
        found = asyncio.run(run(Origin("127.0.0.1", int(url.split(":")[2].split("/")[0]), False)))
    assert [fault.code for fault in found if isinstance(fault, Fault)] == ["unreachable"] * 20


@pytest.mark.parametrize(("after_s", "times"), [(0.0, 3), (0.8, 2)])
def test_a_kept_connection_that_ends_is_replaced_only_if_it_ends_at_once(after_s: float, times: int) -> None:
    """One that ends at once was closed before the call came; one that ends later may have worked on it."""
    calls = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        for number in range(2):
            await reader.readuntil(b"\r\n\r\n")
            calls += 1
            if number == 0:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        await asyncio.sleep(after_s)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        origin = Origin("127.0.0.1", server.sockets[0].getsockname()[1], False)
        pool = Pool()
        request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
        assert (await pool.send(origin, request, True, 5.0)).status == 200
        if after_s:
            with pytest.raises(Fault) as caught:
                await pool.send(origin, request, True, 5.0)
            assert caught.value.sent
        else:
            assert (await pool.send(origin, request, True, 5.0)).status == 200
        pool.close()
        server.close()

    asyncio.run(run())
    assert calls == times


def test_a_closed_pool_sends_nothing() -> None:
    async def run(upstream: Standin) -> None:
        pool = Pool()
        upstream.next_fault("stall")
        call = asyncio.create_task(ask(pool, upstream))
        await asyncio.to_thread(upstream.wait_for, lambda: upstream.chats and upstream.chats[-1].stalled)
        pool.close()
        with pytest.raises(Fault):
            await call
        with pytest.raises(Fault, match="closing"):
            await ask(pool, upstream)

    with Standin() as upstream:
        asyncio.run(run(upstream))
        assert len(upstream.chats) == 1

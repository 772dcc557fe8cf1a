"""A provider that answers each call after the same time, up to a rate limit, over real HTTP on loopback.

    python provider.py --latency-ms 300 --per-second 200 [--quiet-limit]

Prints its port. A full bucket holds one second's calls and fills evenly, as OpenAI describes its limits; a call beyond is
refused with 429, `Retry-After` and `retry-after-ms`. Every answer says what is left (`x-ratelimit-…-requests`, as
OpenAI publishes them), unless --quiet-limit. `GET /seen` tells what came, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import time

ANSWER = json.dumps({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "steady",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "card_arrival"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 620, "completion_tokens": 4, "total_tokens": 624},
}).encode()  # fmt: skip
REFUSAL = json.dumps({
    "error": {"message": "Rate limit reached for requests", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
}).encode()  # fmt: skip


class Bucket:
    """Calls that may come now; fills evenly, up to one second's."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self.left = self.size = max(1.0, per_second)
        self.at_s = time.monotonic()
        self.answered = self.refused = self.most_at_once = self.at_once = 0

    def take(self) -> bool:
        now = time.monotonic()
        self.left = min(self.size, self.left + (now - self.at_s) * self.per_second)
        self.at_s = now
        if self.left < 1:
            self.refused += 1
            return False
        self.left -= 1
        return True


class Connection(asyncio.Protocol):
    """One caller's connection; answers in the order of its calls."""

    def __init__(self, bucket: Bucket, latency_s: float, tells: bool) -> None:
        self.bucket, self.latency_s, self.tells = bucket, latency_s, tells
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            place = head.find(b"content-length:")
            size = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(self.buffer) < end + 4 + size:
                return
            self.buffer = self.buffer[end + 4 + size :]
            self.asked(head)

    def asked(self, head: bytes) -> None:
        bucket = self.bucket
        if head.startswith(b"get /seen"):
            names = ("answered", "refused", "most_at_once")
            self.send(200, json.dumps({name: getattr(bucket, name) for name in names}).encode())
        elif bucket.take():
            bucket.at_once += 1
            bucket.most_at_once = max(bucket.most_at_once, bucket.at_once)
            asyncio.get_running_loop().call_later(self.latency_s, self.answer, self.limits())
        else:
            wait_s = (1 - bucket.left) / bucket.per_second
            waits = f"retry-after: {math.ceil(wait_s)}\r\nretry-after-ms: {math.ceil(wait_s * 1000)}\r\n"
            self.send(429, REFUSAL, self.limits() + waits)

    def limits(self) -> str:
        if not self.tells:
            return ""
        bucket = self.bucket
        full_in_ms = math.ceil((bucket.size - bucket.left) / bucket.per_second * 1000)
        return (
            f"x-ratelimit-limit-requests: {bucket.size:.0f}\r\nx-ratelimit-remaining-requests: {bucket.left:.0f}\r\n"
            f"x-ratelimit-reset-requests: {full_in_ms}ms\r\n"
        )

    def answer(self, limits: str) -> None:
        self.bucket.at_once -= 1
        self.bucket.answered += 1
        self.send(200, ANSWER, limits)

    def send(self, status: int, body: bytes, headers: str = "") -> None:
        head = f"HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
        self.transport.write(head.encode() + body)


async def serve(latency_s: float, per_second: float, tells: bool) -> None:
    bucket = Bucket(per_second)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(bucket, latency_s, tells), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # until who started it is gone


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-ms", type=float, default=300)
    parser.add_argument("--per-second", type=float, default=200)
    parser.add_argument("--quiet-limit", action="store_true")
    options = parser.parse_args()
    asyncio.run(serve(options.latency_ms / 1000, options.per_second, not options.quiet_limit))

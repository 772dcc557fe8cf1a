"""A provider that streams as many tokens as the model's name says, as fast as it says: a process of its own, real HTTP.

    python provider.py      prints its address; the model `mine/20000-200` answers 20,000 tokens at 200 a second, 0: unpaced

A token is a piece of four characters, each in an event of its own, as providers send them. `GET /sent` says how many the
newest answer has sent, `GET /forget` makes that 0.
"""

from __future__ import annotations

import asyncio
import json
import time

from made import markdown

PIECE = 4  # characters of a token
EVERY_S = 0.005  # how often a paced stream sends what is due
BURST = 50  # tokens that an unpaced stream writes at once
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n"


class Provider:
    """Answers chat completions and says how far it is."""

    def __init__(self) -> None:
        self._sent = 0
        self._text = markdown(1_000_000)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: requests after one another until the other side leaves."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").lower().split("\r\n")
                length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
                body = await reader.readexactly(length)
                if lines[0].startswith("post"):
                    await self._answer(json.loads(body)["model"], writer)
                else:
                    self._sent = 0 if lines[0].startswith("get /forget") else self._sent
                    _whole(writer, {"sent": self._sent, "data": []})
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the caller has gone, as callers do
        finally:
            writer.close()

    async def _answer(self, model: str, writer: asyncio.StreamWriter) -> None:
        count, per_s = map(int, model.rpartition("/")[2].split("-"))
        writer.write(HEAD % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n")
        started, self._sent = time.perf_counter(), 0
        while self._sent < count:
            due = int((time.perf_counter() - started) * per_s) if per_s else self._sent + BURST
            due = min(count, due)
            for number in range(self._sent, due):
                start = number * PIECE % len(self._text)
                writer.write(_event(model, {"content": self._text[start : start + PIECE]}))
            self._sent = max(self._sent, due)
            await writer.drain()
            await asyncio.sleep(EVERY_S if per_s else 0)
        used = {"prompt_tokens": 10, "completion_tokens": count, "total_tokens": count + 10}
        writer.write(_event(model, {}, finish="stop") + _event(model, {}, usage=used) + _chunk(b"data: [DONE]\n\n"))
        writer.write(b"0\r\n\r\n")


def _event(model: str, delta: dict[str, str], finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    told = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": model, "usage": usage}
    told["choices"] = [] if usage else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return _chunk(b"data: " + json.dumps(told).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _whole(writer: asyncio.StreamWriter, told: object) -> None:
    data = json.dumps(told).encode()
    writer.write(HEAD % b"application/json" + b"content-length: %d\r\n\r\n" % len(data) + data)


async def main() -> None:
    server = await asyncio.start_server(Provider().converse, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

"""So many calls to the stand-in provider: ours as the bench makes them, or by a client that knows the schedule.

    python caller.py ours|scheduled|capacity PORT CALLS PER_SECOND

`scheduled` opens with a bucket's worth of calls and sends each other one on the dot: what the provider allows in practice.
`capacity` sends over 64 connections as fast as they are answered, to a provider without latency or limit. Prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

BODY = json.dumps({"model": "steady", "messages": [{"role": "user", "content": "Where is my card? " * 40}]}).encode()
CALL = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
CONNECTIONS = 64


def ours(port: int, calls: int) -> dict[str, float]:
    """The bench's own path, with a data directory that is new: keys, ledger and answer store are at work."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHAPETA_HOME"] = folder
        os.environ["STEADY_API_KEY"] = "sk-steady"
        from chapeta.bench.answers import AnswerStore
        from chapeta.bench.run import answer_examples
        from chapeta.gateway.door import Gateway
        from chapeta.gateway.providers.addresses import add
        from chapeta.types import Candidate, Decoding, Example, Message

        add("steady", f"http://127.0.0.1:{port}/v1")
        rows = [Example((Message("user", f"{number}: where is my card?"),), "card_arrival") for number in range(calls)]
        candidate = Candidate("steady", "steady/steady", Decoding(32), "Answer with the intent.")
        with AnswerStore(Path(folder) / "answers.sqlite") as store, Gateway() as gateway:
            started = time.perf_counter()
            answers = answer_examples(candidate, rows, gateway, store)
            seconds = time.perf_counter() - started
    latencies = sorted(answer.latency_ms for answer in answers)
    return {
        "seconds": seconds,
        "failed": sum(answer.text != "card_arrival" for answer in answers),
        "latency_p50_ms": latencies[len(latencies) // 2],
    }


async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(CALL)
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    await reader.readexactly(size)
    return head.startswith(b"HTTP/1.1 200")


async def scheduled(port: int, calls: int, per_second: float) -> dict[str, float]:
    burst = int(per_second) - 10  # the first of them arrive a little late
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(burst + CONNECTIONS)]
    failed = 0
    started = time.perf_counter()

    async def one() -> None:
        nonlocal failed
        connection = idle.pop()
        failed += not await call(*connection)
        idle.append(connection)

    tasks = []
    for number in range(calls):
        due_s = max(0, number + 1 - burst) / per_second * 1.0005 + 0.001 * (number >= burst)  # never a moment too early
        if (wait_s := started + due_s - time.perf_counter()) > 0:
            await asyncio.sleep(wait_s)
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    return {"seconds": time.perf_counter() - started, "failed": failed}


async def capacity(port: int, calls: int) -> dict[str, float]:
    left = iter(range(calls))
    started = time.perf_counter()

    async def one() -> int:
        connection = await asyncio.open_connection("127.0.0.1", port)
        return sum([not await call(*connection) for _ in left])

    failed = sum(await asyncio.gather(*(one() for _ in range(CONNECTIONS))))
    return {"seconds": time.perf_counter() - started, "failed": failed}


def main() -> None:
    way, port, calls, per_second = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    if way == "ours":
        found = ours(port, calls)
    else:
        found = asyncio.run(scheduled(port, calls, per_second) if way == "scheduled" else capacity(port, calls))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

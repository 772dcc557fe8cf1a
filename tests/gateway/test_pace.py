"""How fast a bench calls a provider: its rate limit kept to, its latency minded, its pauses waited for."""

from __future__ import annotations

import asyncio
import time

import pytest

from chapeta.gateway.pace import FIRST_IN_FLIGHT, MOST_IN_FLIGHT, Pace, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("1h2m3.5s", 3723.5), ("0.5", 0.5), ("", None), ("soon", None)],
)
def test_durations_are_read_as_openai_writes_them(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


def limits(limit: int, left: int, full_in: str) -> dict[bytes, bytes]:
    return {
        b"x-ratelimit-limit-requests": str(limit).encode(),
        b"x-ratelimit-remaining-requests": str(left).encode(),
        b"x-ratelimit-reset-requests": full_in.encode(),
    }


async def sent_within(pace: Pace, seconds: float) -> int:
    """How many calls of no length are let through."""
    ends, sent = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        await pace.turn()
        pace.end()
        sent += 1
    return sent


def test_calls_are_spaced_out_when_little_of_the_limit_is_left() -> None:
    async def run() -> tuple[int, int]:
        pace = Pace()
        pace.heard(limits(100, 5, "1900ms"))  # 95 calls in 1.9 s: 50 a second
        slow = await sent_within(pace, 0.5)
        pace.heard(limits(100, 90, "200ms"))
        return slow, await sent_within(pace, 0.1)

    slow, fast = asyncio.run(run())
    assert slow <= 25 + 8  # the start and what a late wake-up makes up for
    assert fast > slow


def test_a_pause_that_is_asked_for_is_kept_by_all() -> None:
    async def run() -> list[float]:
        pace = Pace()
        began, at = time.monotonic(), []
        pace.refused(0.2)

        async def one() -> None:
            await pace.turn()
            at.append(time.monotonic() - began)
            pace.end()

        await asyncio.gather(*(one() for _ in range(5)))
        return at

    assert min(asyncio.run(run())) >= 0.19


def held(pace: Pace) -> int:
    """How many calls it lets be in flight."""

    async def run() -> int:
        count = 0
        while True:
            try:
                async with asyncio.timeout(0.3):
                    await pace.turn()
            except TimeoutError:
                return count
            count += 1

    return asyncio.run(run())


def paced_by(latencies_s: list[float]) -> Pace:
    async def run() -> Pace:
        pace = Pace()
        for latency_s in latencies_s:
            pace.answered(latency_s)
        return pace

    return asyncio.run(run())


def test_more_are_in_flight_while_answers_stay_quick_up_to_a_bound() -> None:
    assert held(paced_by([])) == FIRST_IN_FLIGHT
    assert held(paced_by([0.3] * FIRST_IN_FLIGHT)) == 2 * FIRST_IN_FLIGHT
    assert held(paced_by([0.3] * 2000)) == MOST_IN_FLIGHT


def test_fewer_are_in_flight_where_answers_become_slow() -> None:
    quick = [0.3] * (FIRST_IN_FLIGHT + 2 * FIRST_IN_FLIGHT)
    assert held(paced_by(quick)) == 4 * FIRST_IN_FLIGHT
    assert held(paced_by(quick + [0.9] * 4 * FIRST_IN_FLIGHT)) == 3 * FIRST_IN_FLIGHT
    assert held(paced_by(quick + [0.9] * 5000)) == FIRST_IN_FLIGHT


def test_who_gives_up_waiting_takes_no_turn() -> None:
    async def run() -> None:
        pace = Pace(most_in_flight=1)
        await pace.turn()
        waiting = asyncio.create_task(pace.turn())
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        pace.end()
        async with asyncio.timeout(1):
            await pace.turn()

    asyncio.run(run())

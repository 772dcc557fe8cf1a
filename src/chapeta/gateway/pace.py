"""How fast a bench's calls go to a provider: as many at once as it takes well, and no faster than its rate limit.

The number in flight doubles while answers keep their latency, and falls where they take twice as long. Where the provider
tells what is left of its limit (`x-ratelimit-…-requests`, as OpenAI publishes them), calls are spaced out before it is used
up; where it only refuses, they wait as long as it says, and go on at the rate that was answered until then.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Mapping
from statistics import fmean

FIRST_IN_FLIGHT = 16
MOST_IN_FLIGHT = 128
SLOWER = 2.0  # times the quickest mean latency: the provider queues, more at once would only wait there
RESERVE = 0.1  # of a limit, for others who use the same key
SPEED_UP = 0.02  # a second, after a refusal without figures
CATCH_UP_S = 0.1  # a pause that came late is made up for, up to here
RATE_OVER_S = 2.0
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Pace:
    """The pace of the calls to one provider. Belongs to one event loop; calls take their turn in the order they came."""

    def __init__(self, most_in_flight: int = MOST_IN_FLIGHT) -> None:
        self._most = most_in_flight
        self._window = min(FIRST_IN_FLIGHT, most_in_flight)
        self._in_flight = 0
        self._order = asyncio.Lock()
        self._ended = asyncio.Event()
        self._began_s = 0.0
        self._next_s = 0.0
        self._apart_s = 0.0
        self._answered: deque[float] = deque()
        self._latencies: list[float] = []
        self._quickest_s = float("inf")
        self._eased_s = 0.0

    async def turn(self) -> None:
        """Waits until one more call may be sent; `end` has to follow."""
        loop = asyncio.get_running_loop()
        async with self._order:
            while self._in_flight >= self._window:
                self._ended.clear()
                await self._ended.wait()
            while (wait_s := self._next_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            self._began_s = self._began_s or loop.time()
            self._in_flight += 1
            self._next_s = max(self._next_s, loop.time() - CATCH_UP_S) + self._apart_s

    def end(self) -> None:
        """A call is over, however it went."""
        self._in_flight -= 1
        self._ended.set()

    def heard(self, headers: Mapping[bytes, bytes]) -> None:
        """What the provider tells of its limit, with an answer or a refusal."""
        limit = _number(headers.get(b"x-ratelimit-limit-requests"))
        left = _number(headers.get(b"x-ratelimit-remaining-requests"))
        full_in_s = seconds_of(headers.get(b"x-ratelimit-reset-requests", b"").decode("latin-1"))
        if limit is None or left is None or full_in_s is None:
            return
        runs_low = left - self._in_flight <= RESERVE * limit  # those in flight may not be counted yet
        self._apart_s = full_in_s / (limit - left) if runs_low and left < limit else 0.0

    def answered(self, latency_s: float) -> None:
        """A call was answered so quickly."""
        now = asyncio.get_running_loop().time()
        self._answered.append(now)
        while self._answered[0] < now - RATE_OVER_S:
            self._answered.popleft()
        self._apart_s *= (1 - SPEED_UP) ** max(0.0, now - self._eased_s) if self._eased_s else 1.0
        self._eased_s = now
        self._latencies.append(latency_s)
        if len(self._latencies) >= self._window:
            self._resize(fmean(self._latencies))
            self._latencies.clear()

    def refused(self, wait_s: float) -> None:
        """The provider refused for its rate limit, and wants nothing for so long."""
        now = asyncio.get_running_loop().time()
        if self._next_s >= now + wait_s:
            return  # refused together with others, which have said so
        self._next_s = now + wait_s
        answered_apart_s = min(now - self._began_s, RATE_OVER_S) / max(1, len(self._answered))
        if not self._apart_s:
            self._apart_s = answered_apart_s
        else:  # half: a pause that was asked for is in what was answered
            self._apart_s = max(self._apart_s * (1 + 2 * SPEED_UP), answered_apart_s / 2)
        self._eased_s = self._next_s

    def _resize(self, latency_s: float) -> None:
        self._quickest_s = min(self._quickest_s, latency_s)
        if latency_s > SLOWER * self._quickest_s:
            self._window = max(min(FIRST_IN_FLIGHT, self._most), self._window * 3 // 4)
        else:
            self._window = min(self._most, self._window * 2)
        self._ended.set()


def seconds_of(text: str) -> float | None:
    """`6m0s`, `1s`, `120ms` or `0.5` in seconds; None for anything else."""
    parts = DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * SECONDS[unit] for number, unit in parts)
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None


def _number(value: bytes | None) -> int | None:
    return int(value) if value is not None and value.isdigit() else None

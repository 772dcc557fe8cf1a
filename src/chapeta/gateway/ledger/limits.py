"""What an access key may use: money a period, calls a time. Periods are those of UTC: days, weeks from Monday, months."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from chapeta.errors import BadInput

Period = Literal["day", "week", "month", "total"]

SECONDS = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "day": 86400.0,
}
MOST_CALLS = 10**9
BUDGET_HOW = "Write USD and a period, such as 5/day, 20/month, or 20 for all time; periods: day, week, month, total."
RATE_HOW = "Write calls and a time, such as 60/min, 5/s or 1000/hour."


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many USD in a period."""

    usd: float
    period: Period = "total"

    def __str__(self) -> str:
        return f"{money(self.usd)} {'in all' if self.period == 'total' else f'a {self.period}'}"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many calls in a time; all of them may come at once, then they come back one by one."""

    calls: int
    period_s: float

    def __str__(self) -> str:
        name = next((name for name, seconds in _NAMES.items() if seconds == self.period_s), None)
        return f"{self.calls}/{name or f'{self.period_s:g}s'}"


_NAMES = {"s": 1.0, "min": 60.0, "hour": 3600.0, "day": 86400.0}


def parse_budget(text: str) -> Budget:
    """A budget as it is typed: "5/day", "20". Raises BadInput."""
    match = re.fullmatch(r"\s*\$?\s*(\d+(?:\.\d*)?|\.\d+)\s*(?:/\s*([a-z]+))?\s*", text.lower(), re.ASCII)
    usd = float(match[1]) if match else 0.0
    for period in get_args(Period):
        if match and period == (match[2] or "total") and 0 < usd < math.inf:
            return Budget(usd, period)
    raise BadInput(f"'{text}' is not a budget.", BUDGET_HOW)


def parse_rate(text: str) -> Rate:
    """A rate as it is typed: "60/min". Raises BadInput."""
    match = re.fullmatch(r"\s*(\d{1,10})\s*/\s*([a-z]+)\s*", text.lower(), re.ASCII)
    if match and match[2] in SECONDS and 0 < int(match[1]) <= MOST_CALLS:
        return Rate(int(match[1]), SECONDS[match[2]])
    raise BadInput(f"'{text}' is not a rate.", RATE_HOW)


def period_start(period: Period, now_s: float) -> float:
    """When the period began that a moment is in, in seconds since 1970 UTC; 0 for all time."""
    if period == "total":
        return 0.0
    day = datetime.fromtimestamp(now_s, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        day -= timedelta(days=day.weekday())
    elif period == "month":
        day = day.replace(day=1)
    return day.timestamp()


def period_end(period: Period, now_s: float) -> float:
    """When that period ends, which is when the next begins; infinity for all time."""
    if period == "total":
        return math.inf
    start = period_start(period, now_s)
    if period == "month":
        return period_start("month", start + 32 * 86400)
    return start + 86400 * (7 if period == "week" else 1)


def moment(seconds: float) -> str:
    """A moment for a message: 2026-11-23 00:00 UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def money(usd: float) -> str:
    """USD for a message: cents, or as many digits as a smaller sum needs."""
    if usd == 0 or usd >= 0.01:
        return f"${usd:,.2f}"
    return f"${usd:.{1 - math.floor(math.log10(usd))}f}"

"""What was used: calls, tokens, cost and times from the ledger, in groups.

Cost adds up the calls whose cost is known and says how many are not: unknown is never 0. Times are those of answered calls
only, as a refusal is fast. Percentiles are nearest-rank, of times that are read in a stream: in SQL each is a sort of its
own, and took eight times as long. Days are those of UTC, on both databases, as the budgets' days are.
"""

from __future__ import annotations

import re
import time
from array import array
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from chapeta.errors import BadInput

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chapeta.storage.database import Database

GROUPS = ("model", "day", "key", "deployment", "provider")
TIMES = ("latency_ms", "first_token_ms")
SUMS = ("tokens_in", "tokens_out", "tokens_cached", "usd")
WHOLE = ("calls", "errors", "cancelled", "tokens_in", "tokens_out", "tokens_cached", "cost_unknown_calls")
DAY_S = 86400
READ_ROWS = 10_000
Times = tuple["array[float]", ...]  # latencies and times to the first token, in ms
AGO = {"m": 60, "h": 3600, "d": DAY_S, "w": 7 * DAY_S}
SINCE_HOW = "Write how long ago, such as 24h, 7d or 4w, or a day (UTC) such as 2026-11-01."


@dataclass(frozen=True, slots=True)
class Used:
    """One group. None: nobody said, or there is no such thing ("" as a group: calls without key or deployment).

    usd: of the calls whose cost is known; cost_unknown_calls: how many more there are.
    """

    group: str
    calls: int
    errors: int
    cancelled: int
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    usd: float | None
    cost_unknown_calls: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    first_token_p50_ms: float | None


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The groups, the costliest first (days: in their order), and all of it together; no groups: nothing was called."""

    by: str
    since: float | None
    rows: tuple[Used, ...]
    total: Used


def usage(database: Database, by: str = "model", since: float | None = None) -> UsageReport:
    """What was used, by one of GROUPS, since a moment (seconds since 1970 UTC)."""
    if by not in GROUPS:
        raise BadInput(f"Usage is not counted by '{by}'.", f"Choose one of: {', '.join(GROUPS)}.")
    with database.read() as connection:
        times = _times(connection, by, since)
        rows = _groups(connection, by, since, times)
        everything = tuple(array("d", chain.from_iterable(group[kind] for group in times.values())) for kind in (0, 1))
        totals = _groups(connection, None, since, {"": everything})
    if by == "day":
        rows = sorted((_dated(row) for row in rows), key=lambda row: row.group)
    else:
        rows.sort(key=lambda row: (-(row.usd or 0.0), -row.calls, row.group))
    nothing = Used("", 0, 0, 0, None, None, None, None, 0, None, None, None)
    return UsageReport(by, since, tuple(rows), totals[0] if totals else nothing)


def usd_of_run(database: Database, run: str, since: float) -> float:
    """What the calls of one run have cost since a moment, as far as it is known."""
    from sqlalchemy import func, select

    from chapeta.storage.tables import calls

    query = select(func.coalesce(func.sum(calls.c.usd), 0.0)).where(calls.c.run == run, calls.c.started_at >= since)
    with database.read() as connection:
        return float(connection.execute(query).scalar_one())


def parse_since(text: str, now_s: float | None = None) -> float:
    """A moment as it is typed: "7d" ago, or a day of UTC, in seconds since 1970. Raises BadInput."""
    now_s = time.time() if now_s is None else now_s
    ago = re.fullmatch(r"\s*(\d{1,6})\s*([mhdw])\s*", text.lower(), re.ASCII)
    if ago:
        return max(0.0, now_s - int(ago[1]) * AGO[ago[2]])
    try:
        moment = datetime.fromisoformat(text.strip())
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise BadInput(f"'{text}' is not a time.", SINCE_HOW) from None


def _groups(connection: Connection, by: str | None, since: float | None, times: Mapping[Any, Times]) -> list[Used]:
    """One row a group, or one in all."""
    part = _part(connection, by)
    rows = []
    for row in connection.execute(_sums(part, since)).mappings():
        values = {name: None if row[name] is None else int(row[name]) for name in WHOLE}  # PostgreSQL sums to decimals
        latency, first = times.get(row["part"], (array("d"), array("d")))
        rows.append(
            Used(
                group=str(row["part"]),
                usd=row["usd"],
                latency_p50_ms=_percentile(latency, 50),
                latency_p95_ms=_percentile(latency, 95),
                first_token_p50_ms=_percentile(first, 50),
                **values,  # type: ignore[arg-type]
            )
        )
    return rows


def _sums(part: Any, since: float | None) -> Any:
    from sqlalchemy import func, select

    from chapeta.storage.tables import calls

    query = select(
        part.label("part"),
        func.count().label("calls"),
        func.count(_where(calls.c.outcome == "error", 1)).label("errors"),
        func.count(_where(calls.c.outcome == "cancelled", 1)).label("cancelled"),
        *(func.sum(calls.c[name]).label(name) for name in SUMS),
        func.count(_where(calls.c.usd.is_(None), 1)).label("cost_unknown_calls"),
    )
    return _since(query, since).group_by("part")


def _times(connection: Connection, by: str, since: float | None) -> dict[Any, Times]:
    """Latency and time to the first token of the answered calls of each group, in ms; read in a stream, 16 bytes a call."""
    from sqlalchemy import select

    from chapeta.storage.tables import calls

    query = select(_part(connection, by), *(calls.c[name] for name in TIMES)).where(calls.c.outcome == "ok")
    found: defaultdict[Any, Times] = defaultdict(lambda: (array("d"), array("d")))
    streamed = connection.execution_options(yield_per=READ_ROWS)
    for group, latency_ms, first_ms in streamed.execute(_since(query, since)):
        times = found[group]
        times[0].append(latency_ms)
        if first_ms is not None:
            times[1].append(first_ms)
    return found


def _percentile(times: array[float], percent: int) -> float | None:
    """The smallest value with at least that share at or below it (nearest rank); None where there is none."""
    import numpy as np

    if not times:
        return None
    rank = -(-percent * len(times) // 100)
    return float(np.partition(np.frombuffer(times), rank - 1)[rank - 1])


def _part(connection: Connection, by: str | None) -> Any:
    """What a call is grouped by; a day is its number since 1970."""
    from sqlalchemy import Integer, cast, func, literal

    from chapeta.storage.tables import calls

    if by is None:
        return literal("")
    if by == "day":
        days = calls.c.started_at / DAY_S
        return func.floor(days) if connection.dialect.name == "postgresql" else cast(days, Integer)  # SQLite cuts off
    return calls.c["key_name" if by == "key" else by]


def _since(query: Any, since: float | None) -> Any:
    from chapeta.storage.tables import calls

    return query if since is None else query.where(calls.c.started_at >= since)


def _where(condition: Any, value: Any) -> Any:
    """The value where the condition holds, else NULL, which aggregates leave out."""
    from sqlalchemy import case

    return case((condition, value))


def _dated(row: Used) -> Used:
    """A row whose group is the number of a day since 1970, with its date instead."""
    day = datetime.fromtimestamp(int(float(row.group)) * DAY_S, UTC)
    return replace(row, group=day.strftime("%Y-%m-%d"))

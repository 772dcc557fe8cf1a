"""What was used: calls, tokens, cost and times from the ledger, in groups.

Cost adds up the calls whose cost is known and says how many are not: unknown is never 0. Times are those of answered calls
only, as a refusal is fast. Percentiles are nearest-rank (the smallest value with at least that share at or below it), in
SQL that SQLite and PostgreSQL both run. Days are those of UTC, on both databases, as the budgets' days are.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chapeta.errors import BadInput

if TYPE_CHECKING:
    from chapeta.storage.database import Database

GROUPS = ("model", "day", "key", "deployment", "provider")
SUMS = ("tokens_in", "tokens_out", "tokens_cached", "usd")
WHOLE = ("calls", "errors", "cancelled", "tokens_in", "tokens_out", "tokens_cached", "cost_unknown_calls")
DAY_S = 86400
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
        rows = [_used(row) for row in connection.execute(_query(connection.dialect.name, by, since)).mappings()]
        totals = [_used(row) for row in connection.execute(_query(connection.dialect.name, None, since)).mappings()]
    if by == "day":
        rows = sorted((_dated(row) for row in rows), key=lambda row: row.group)
    else:
        rows.sort(key=lambda row: (-(row.usd or 0.0), -row.calls, row.group))
    nothing = Used("", 0, 0, 0, None, None, None, None, 0, None, None, None)
    return UsageReport(by, since, tuple(rows), totals[0] if totals else nothing)


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


def _query(dialect: str, by: str | None, since: float | None) -> Any:
    """One row a group, or one in all."""
    from sqlalchemy import func, select

    ranked = _ranked(dialect, by, since)
    at = ranked.c

    def count(condition: Any) -> Any:
        return func.count(_where(condition, 1))

    def percentile(name: str, percent: int) -> Any:
        return func.min(_where(100 * at[f"{name}_rank"] >= percent * at[f"{name}_count"], at[name]))

    return select(
        at.part.label("group"),
        func.count().label("calls"),
        count(at.outcome == "error").label("errors"),
        count(at.outcome == "cancelled").label("cancelled"),
        *(func.sum(at[name]).label(name) for name in SUMS),
        count(at.usd.is_(None)).label("cost_unknown_calls"),
        percentile("latency", 50).label("latency_p50_ms"),
        percentile("latency", 95).label("latency_p95_ms"),
        percentile("first", 50).label("first_token_p50_ms"),
    ).group_by(at.part)


def _ranked(dialect: str, by: str | None, since: float | None) -> Any:
    """The calls with their group, and for each time its rank in the group and how many times there are; none come last."""
    from sqlalchemy import Integer, cast, func, literal, select

    from chapeta.storage.tables import calls

    part: Any = literal("")
    if by == "day":
        days = calls.c.started_at / DAY_S
        part = func.floor(days) if dialect == "postgresql" else cast(days, Integer)  # SQLite's CAST cuts off
    elif by is not None:
        part = calls.c["key_name" if by == "key" else by]
    ok = calls.c.outcome == "ok"
    times = {"latency": _where(ok, calls.c.latency_ms), "first": _where(ok, calls.c.first_token_ms)}
    plain = select(
        part.label("part"),
        calls.c.outcome,
        *(calls.c[name] for name in SUMS),
        *(time.label(name) for name, time in times.items()),
    )
    if since is not None:
        plain = plain.where(calls.c.started_at >= since)
    one = plain.subquery("one")
    ranks = [
        func.row_number().over(partition_by=one.c.part, order_by=one.c[name].asc().nulls_last()).label(f"{name}_rank")
        for name in times
    ]
    counts = [func.count(one.c[name]).over(partition_by=one.c.part).label(f"{name}_count") for name in times]
    return select(one, *ranks, *counts).subquery("two")


def _where(condition: Any, value: Any) -> Any:
    """The value where the condition holds, else NULL, which aggregates leave out."""
    from sqlalchemy import case

    return case((condition, value))


def _used(row: Any) -> Used:
    values = dict(row)
    for name in WHOLE:
        values[name] = None if values[name] is None else int(values[name])  # PostgreSQL sums to decimals
    return Used(**{**values, "group": str(values["group"])})


def _dated(row: Used) -> Used:
    """A row whose group is the number of a day since 1970, with its date instead."""
    day = datetime.fromtimestamp(int(float(row.group)) * DAY_S, UTC)
    return replace(row, group=day.strftime("%Y-%m-%d"))

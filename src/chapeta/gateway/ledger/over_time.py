"""What was used day by day, split in the groups that used most: for a chart. Days are those of UTC."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chapeta.errors import BadInput
from chapeta.gateway.ledger.chats import are_calls, used_by_chats

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from chapeta.storage.database import Database

GROUPS = ("model", "provider", "deployment", "key", "chat")
MOST_GROUPS = 6
DAY_S = 86400
MOST_DAYS = 1100


@dataclass(frozen=True, slots=True)
class Series:
    """One group day by day, in the order of the days: USD, and tokens in and out. None as a group: all the others."""

    group: str | None
    usd: tuple[float, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OverTime:
    """days: ISO dates from the first to the last with a call, none left out; series: the groups that used most first."""

    by: str
    days: tuple[str, ...]
    series: tuple[Series, ...]

    @property
    def is_paid(self) -> bool:
        """Whether any of it is known to have cost something."""
        return any(usd > 0 for one in self.series for usd in one.usd)


def over_time(database: Database, by: str = "model", since: float | None = None, most: int = MOST_GROUPS) -> OverTime:
    """What was used since a moment (seconds since 1970 UTC), by one of GROUPS; chats: by their ids."""
    if by not in GROUPS:
        raise BadInput(f"Usage over time is not counted by '{by}'.", f"Choose one of: {', '.join(GROUPS)}.")
    chats = [chat.id for chat in used_by_chats(database, since, most)] if by == "chat" else []
    with database.read() as connection:
        cells = [(int(day), str(part), float(usd or 0.0), int(tokens or 0)) for day, part, usd, tokens
                 in connection.execute(_query(connection, by, since, chats))]  # fmt: skip
    if not cells:
        return OverTime(by, (), ())
    last = max(day for day, *_ in cells)
    first = max(min(day for day, *_ in cells), last - MOST_DAYS + 1)
    chosen = _largest([cell for cell in cells if by != "chat" or cell[1]], most)
    named = [(name, {name}) for name in chosen]
    others = {part for _, part, *_ in cells} - set(chosen)
    series = [_series(name, cells, parts, first, last) for name, parts in named]
    if others:
        series.append(_series(None, cells, others, first, last))
    return OverTime(by, tuple(_date(day) for day in range(first, last + 1)), tuple(series))


def _query(connection: Connection, by: str, since: float | None, chats: Sequence[str]) -> Any:
    """(day since 1970, group, USD, tokens): a row for each day and group; chats but those named are one group, ""."""
    from sqlalchemy import Integer, case, cast, func, select

    from chapeta.storage.tables import calls, turns

    table = turns if by == "chat" else calls
    at = table.c.created_at if by == "chat" else table.c.started_at
    part: Any = case((turns.c.chat_id.in_(chats), turns.c.chat_id), else_="")
    if by != "chat":
        part = calls.c["key_name" if by == "key" else by]
    days = at / DAY_S
    day = func.floor(days) if connection.dialect.name == "postgresql" else cast(days, Integer)  # SQLite cuts off
    tokens = func.coalesce(table.c.tokens_in, 0) + func.coalesce(table.c.tokens_out, 0)
    query = select(day.label("day"), part.label("part"), func.sum(table.c.usd), func.sum(tokens))
    if by == "chat":
        query = query.where(*are_calls(since))
    elif since is not None:
        query = query.where(calls.c.started_at >= since)
    return query.group_by("day", "part")


def _largest(cells: Sequence[tuple[int, str, float, int]], most: int) -> list[str]:
    """The groups that cost most, among those of equal cost the ones with most tokens."""
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for _, part, usd, tokens in cells:
        sums[part][0] += usd
        sums[part][1] += tokens
    return sorted(sums, key=lambda part: (-sums[part][0], -sums[part][1], part))[:most]


def _series(
    name: str | None, cells: Sequence[tuple[int, str, float, int]], parts: set[str], first: int, last: int
) -> Series:
    usd, tokens = [0.0] * (last - first + 1), [0] * (last - first + 1)
    for day, part, spent, count in cells:
        if part in parts and day >= first:
            usd[day - first] += spent
            tokens[day - first] += count
    return Series(name, tuple(usd), tuple(tokens))


def _date(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def days_ago(days: int, now_s: float) -> float:
    """When the first of so many days began, today among them, in seconds since 1970 UTC."""
    today = datetime.fromtimestamp(now_s, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today - timedelta(days=days - 1)).timestamp()

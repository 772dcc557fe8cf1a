"""What chats have used. An answer in a chat keeps what its call took beside the call's id, so one look at the answers is
enough: to find the answer of each of 300,000 calls took three times as long, with an index too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chapeta.storage.database import Database

MOST_CHATS = 100


@dataclass(frozen=True, slots=True)
class ChatUsed:
    """One chat. is_gone: it was deleted; title: "" for one without. usd: of the calls whose cost is known.

    last_s: when it was asked last, in seconds since 1970.
    """

    id: str
    title: str
    is_gone: bool
    calls: int
    tokens_in: int
    tokens_out: int
    usd: float | None
    cost_unknown_calls: int
    last_s: float


def used_by_chats(database: Database, since: float | None = None, most: int = MOST_CHATS) -> list[ChatUsed]:
    """The chats that have called models since a moment (seconds since 1970 UTC), the costliest first."""
    from sqlalchemy import func, select

    from chapeta.storage.tables import chats, turns

    usd, calls = func.sum(turns.c.usd), func.count()
    chat = func.coalesce(turns.c.chat_id, "").label("chat_id")  # bare, SQLite would walk its index, row by row
    grouped = (
        select(
            chat,
            calls.label("calls"),
            func.sum(turns.c.tokens_in).label("tokens_in"),
            func.sum(turns.c.tokens_out).label("tokens_out"),
            usd.label("usd"),
            (calls - func.count(turns.c.usd)).label("cost_unknown_calls"),
            func.max(turns.c.created_at).label("last_s"),
        )
        .where(*are_calls(since))
        .group_by(chat)
        .order_by(func.coalesce(usd, 0.0).desc(), calls.desc(), chat)
        .limit(most)
        .subquery()
    )
    query = select(grouped, chats.c.id, chats.c.title, chats.c.deleted_at).outerjoin(
        chats, chats.c.id == grouped.c.chat_id
    )
    with database.read() as connection:
        found = [_used(row) for row in connection.execute(query).mappings()]
    return sorted(found, key=lambda used: (-(used.usd or 0.0), -used.calls, used.id))


def are_calls(since: float | None) -> list[Any]:
    """Which turns of chats have called a model since a moment."""
    from chapeta.storage.tables import turns

    return [turns.c.call_id != "", *([] if since is None else [turns.c.created_at >= since])]


def _used(row: Any) -> ChatUsed:
    """PostgreSQL's sums are decimals."""
    return ChatUsed(
        id=row["chat_id"], title=row["title"] or "", is_gone=row["id"] is None or row["deleted_at"] is not None,
        calls=int(row["calls"]), tokens_in=int(row["tokens_in"] or 0), tokens_out=int(row["tokens_out"] or 0),
        usd=row["usd"], cost_unknown_calls=int(row["cost_unknown_calls"]), last_s=row["last_s"],
    )  # fmt: skip

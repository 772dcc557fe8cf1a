"""What stays of chats: what they cost, what a killed program left, and what has been deleted for long enough."""

from __future__ import annotations

import time

from sqlalchemy import ColumnElement, Connection, func, select, text

from chapeta.chat.types import Spent
from chapeta.storage.database import Database
from chapeta.storage.tables import attachments, chat_tags, chats, contents, requests, summaries, turns

KEPT_DAYS = 30
DAY_S = 86400
AT_ONCE = 100  # chats that are removed in one transaction


def spent(connection: Connection, condition: ColumnElement[bool]) -> Spent:
    """What the calls of some turns took."""
    sums = [func.coalesce(func.sum(column), 0) for column in (turns.c.tokens_in, turns.c.tokens_out, turns.c.usd)]
    found = select(func.count(), *sums, func.count() - func.count(turns.c.usd)).where(turns.c.call_id != "", condition)
    calls, tokens_in, tokens_out, usd, unknown = connection.execute(found).one()
    return Spent(int(calls), int(tokens_in), int(tokens_out), float(usd), int(unknown))


def end_streaming(connection: Connection) -> list[str]:
    """Marks turns that still say "streaming" as cut; returns their ids."""
    streams = text("status = 'streaming'")  # word for word as the partial index has it, or SQLite does not use that
    cut = list(connection.execute(select(turns.c.id).where(streams)).scalars())
    for turn_id in cut:
        connection.execute(turns.update().where(turns.c.id == turn_id).values(status="cut"))
    return cut


def purge(database: Database, kept_days: float = KEPT_DAYS) -> int:
    """Removes chats that were deleted so long ago, some at a time; returns how many."""
    before = time.time() - kept_days * DAY_S
    with database.read() as connection:
        old = list(connection.execute(select(chats.c.id).where(chats.c.deleted_at < before)).scalars())
    for start in range(0, len(old), AT_ONCE):
        with database.write() as connection:
            some = chats.c.id.in_(old[start : start + AT_ONCE])
            held = select(chats.c.id).where(some, chats.c.deleted_at < before).with_for_update()
            for chat_id in connection.execute(held).scalars().all():  # nobody has brought these back meanwhile
                _remove(connection, chat_id)
    return len(old)


def _remove(connection: Connection, chat_id: str) -> None:
    place = "number" if connection.dialect.name == "postgresql" else "rowid"
    for index, table, column in (("turn_words", turns, turns.c.chat_id), ("chat_words", chats, chats.c.id)):
        numbers = f"SELECT number FROM {table.name} WHERE {column.name} = :chat_id"
        connection.execute(text(f"DELETE FROM {index} WHERE {place} IN ({numbers})"), {"chat_id": chat_id})
    for table in (turns, attachments, contents, requests, summaries, chat_tags):
        connection.execute(table.delete().where(table.c.chat_id == chat_id))
    connection.execute(chats.delete().where(chats.c.id == chat_id))

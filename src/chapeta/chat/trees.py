"""Whole chats out of the database, one after the other, to write them to a file. Imports SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select

from chapeta.chat import attached, rows
from chapeta.chat.imports.tree import Tree
from chapeta.chat.store import Chats
from chapeta.chat.types import Chat
from chapeta.errors import Missing
from chapeta.storage.database import Database
from chapeta.storage.tables import summaries, turns

PAGE = 100


def stored_trees(
    database: Database, chat_ids: Sequence[str] | None = None, folder: str | None = None
) -> Iterator[Tree]:
    """Chats with all their turns, documents and summaries, without the data of images (`stored_data`); newest first.

    chat_ids: these, in this order; None: all, or all of a folder. Each chat is read in one moment of its own.
    Raises Missing for an id that is none.
    """
    store = Chats(database)
    found = (store.get(chat_id) for chat_id in chat_ids) if chat_ids is not None else _all(store, folder)
    for chat in found:
        with database.read() as connection:
            own = select(*rows.TURN).where(turns.c.chat_id == chat.id).order_by(turns.c.number)
            said = tuple(rows.turn_of(row) for row in connection.execute(own))
            files = attached.of(connection, [turn.id for turn in said])
            kept = select(*rows.SUMMARY).where(summaries.c.chat_id == chat.id).order_by(summaries.c.number)
            summed = tuple(rows.summary_of(row) for row in connection.execute(kept))
        yield Tree(chat, said, tuple(file for turn in said for file in files.get(turn.id, ())), summed)


def stored_data(database: Database, attachment_id: str) -> bytes | None:
    """An image's bytes; None where they are gone."""
    try:
        return Chats(database).data(attachment_id)
    except Missing:
        return None


def _all(store: Chats, folder: str | None) -> Iterator[Chat]:
    before: tuple[float, str] | None = None
    while page := store.page(folder=folder, before=before, limit=PAGE):
        yield from page
        before = (page[-1].updated_at, page[-1].id)

"""The list of chats: in pages, by folder, tag and pin; those that are deleted have a list of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, func, select, tuple_

from chapeta.chat import rows
from chapeta.chat.types import Chat
from chapeta.errors import Missing
from chapeta.storage import values
from chapeta.storage.database import Database
from chapeta.storage.tables import chat_tags, chats


@dataclass(frozen=True, slots=True)
class Filter:
    """Which chats are wanted: those that fit all that is not None. folder "" is for those in none."""

    folder: str | None = None
    tag: str | None = None
    pinned: bool | None = None
    deleted: bool = False


def listed(database: Database, wanted: Filter, after: Chat | None = None, limit: int = 50) -> list[Chat]:
    """The next chats after one, as people look for them: the pinned ones, then the others, each the newest first. Blocks."""
    before = (after.updated_at, after.id) if after else None
    found: list[Chat] = []
    with database.read() as connection:
        if wanted.deleted or wanted.pinned is not None:
            return _page(connection, wanted, before, limit)
        if after is None or after.pinned:
            found = _page(connection, replace(wanted, pinned=True), before, limit)
            before = None
        if len(found) < limit:
            found += _page(connection, replace(wanted, pinned=False), before, limit - len(found))
    return found


def found_by_id(database: Database, chat_ids: Sequence[str]) -> dict[str, Chat]:
    """Some chats by their ids, deleted ones too, as they are now. Blocks."""
    found: list[Chat] = []
    with database.read() as connection:
        for some in rows.portions([values.text(chat_id) for chat_id in chat_ids]):
            chosen = select(*rows.CHAT).where(chats.c.id.in_(some))
            found += rows.chats_of(connection, connection.execute(chosen).all())
    return {chat.id: chat for chat in found}


def ids(database: Database, wanted: Filter) -> list[str]:
    """All chats that fit, the newest first. Blocks."""
    with database.read() as connection:
        newest = _where(select(chats.c.id), wanted).order_by(chats.c.updated_at.desc(), chats.c.id.desc())
        return list(connection.execute(newest).scalars())


def count(database: Database, wanted: Filter) -> int:
    """How many chats fit. Blocks."""
    with database.read() as connection:
        return int(connection.execute(_where(select(func.count()).select_from(chats), wanted)).scalar_one())


def page(
    connection: Connection,
    folder: str | None,
    tag: str | None,
    pinned: bool | None,
    before: tuple[float, str] | None,
    limit: int,
) -> list[Chat]:
    """The chats in which something was said last, the newest first; only those that fit what is not None."""
    return _page(connection, Filter(folder, tag, pinned), before, limit)


def _page(connection: Connection, wanted: Filter, before: tuple[float, str] | None, limit: int) -> list[Chat]:
    found = _where(select(*rows.CHAT), wanted)
    if before is not None:
        found = found.where(tuple_(chats.c.updated_at, chats.c.id) < tuple_(before[0], values.text(before[1])))
    newest = found.order_by(chats.c.updated_at.desc(), chats.c.id.desc()).limit(limit)
    return rows.chats_of(connection, connection.execute(newest).all())


def _where(found: Select[Any], wanted: Filter) -> Select[Any]:
    found = found.where(chats.c.deleted_at.is_not(None) if wanted.deleted else chats.c.deleted_at.is_(None))
    if wanted.folder is not None:
        found = found.where(chats.c.folder == values.text(wanted.folder))
    if wanted.tag is not None:
        tagged = select(chat_tags.c.chat_id).where(chat_tags.c.tag == values.text(wanted.tag))
        found = found.where(chats.c.id.in_(tagged))
    if wanted.pinned is not None:
        found = found.where(chats.c.pinned if wanted.pinned else ~chats.c.pinned)
    return found


def folders(connection: Connection) -> list[tuple[str, int]]:
    """The folders in alphabetical order, and how many chats each holds."""
    found = select(chats.c.folder, func.count()).where(chats.c.deleted_at.is_(None), chats.c.folder != "")
    return sorted((name, count) for name, count in connection.execute(found.group_by(chats.c.folder)))


def tags(connection: Connection) -> list[tuple[str, int]]:
    """The tags in alphabetical order, and how many chats have each."""
    found = select(chat_tags.c.tag, func.count()).join(chats, chats.c.id == chat_tags.c.chat_id)
    found = found.where(chats.c.deleted_at.is_(None)).group_by(chat_tags.c.tag)
    return sorted((name, count) for name, count in connection.execute(found))


def chat(connection: Connection, chat_id: str) -> Chat:
    """A chat that is not deleted. Raises Missing."""
    found = select(*rows.CHAT).where(chats.c.id == values.text(chat_id), chats.c.deleted_at.is_(None))
    row = connection.execute(found).one_or_none()
    if row is None:
        raise no_chat(chat_id)
    return rows.chats_of(connection, [row])[0]


def held(connection: Connection, chat_id: str) -> Chat:
    """The chat, which nobody else changes until this transaction ends. Raises Missing."""
    connection.execute(select(chats.c.id).where(chats.c.id == values.text(chat_id)).with_for_update())
    return chat(connection, chat_id)


def no_chat(chat_id: str) -> Missing:
    return Missing(f"There is no chat '{rows.line(chat_id, 60)}' (any more).", "Choose another, or begin a new one.")

"""The list of chats: in pages, by folder, tag and pin, without those that are deleted."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, tuple_

from chapeta.chat import rows
from chapeta.chat.types import Chat
from chapeta.errors import Missing
from chapeta.storage import values
from chapeta.storage.tables import chat_tags, chats


def page(
    connection: Connection,
    folder: str | None,
    tag: str | None,
    pinned: bool | None,
    before: tuple[float, str] | None,
    limit: int,
) -> list[Chat]:
    """The chats in which something was said last, the newest first; only those that fit what is not None."""
    found = select(*rows.CHAT).where(chats.c.deleted_at.is_(None))
    if folder is not None:
        found = found.where(chats.c.folder == values.text(folder))
    if tag is not None:
        tagged = select(chat_tags.c.chat_id).where(chat_tags.c.tag == values.text(tag))
        found = found.where(chats.c.id.in_(tagged))
    if pinned is not None:
        found = found.where(chats.c.pinned if pinned else ~chats.c.pinned)
    if before is not None:
        found = found.where(tuple_(chats.c.updated_at, chats.c.id) < tuple_(before[0], values.text(before[1])))
    newest = found.order_by(chats.c.updated_at.desc(), chats.c.id.desc()).limit(limit)
    return rows.chats_of(connection, connection.execute(newest).all())


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

"""What is done to several chats at once: moved, tagged, pinned, deleted, brought back. One transaction each; all block.

Chats that are gone meanwhile are passed over: another tab, or another program, may have been faster. Each function returns
how many chats it found.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Update, select

from chapeta.chat import rows
from chapeta.errors import BadInput
from chapeta.storage import values
from chapeta.storage.database import Database
from chapeta.storage.tables import chat_tags, chats


def move(database: Database, chat_ids: Sequence[str], folder: str) -> int:
    """Puts chats into a folder; "" takes them out of theirs."""
    return _change(database, chat_ids, chats.update().values(folder=rows.line(folder)))


def pin(database: Database, chat_ids: Sequence[str], pinned: bool) -> int:
    return _change(database, chat_ids, chats.update().values(pinned=pinned))


def delete(database: Database, chat_ids: Sequence[str]) -> int:
    """Puts chats out of sight; `undelete` brings them back, for `remains.KEPT_DAYS` days."""
    seen = chats.update().where(chats.c.deleted_at.is_(None))
    return _change(database, chat_ids, seen.values(deleted_at=time.time()))


def undelete(database: Database, chat_ids: Sequence[str]) -> int:
    """Brings deleted chats back."""
    return _change(database, chat_ids, chats.update().where(chats.c.deleted_at.is_not(None)).values(deleted_at=None))


def retag(database: Database, chat_ids: Sequence[str], add: Sequence[str], remove: Sequence[str] = ()) -> int:
    """Adds and removes tags, and leaves the chats' other tags. Raises BadInput where a chat would have too many."""
    new, old = rows.tags_of(add), set(rows.tags_of(remove))
    found = 0
    with database.write() as connection:
        for some in _portions(chat_ids):
            here = list(connection.execute(select(chats.c.id).where(chats.c.id.in_(some)).with_for_update()).scalars())
            found += len(here)
            _retag(connection, here, new, old)
    return found


def _retag(connection: Connection, chat_ids: Sequence[str], new: Sequence[str], old: set[str]) -> None:
    """Writes what differs, in two statements however many chats there are."""
    of_these = chat_tags.c.chat_id.in_(chat_ids)
    connection.execute(chat_tags.delete().where(of_these, chat_tags.c.tag.in_(old - set(new))))
    kept: dict[str, set[str]] = {chat_id: set() for chat_id in chat_ids}
    for chat_id, tag in connection.execute(select(chat_tags.c.chat_id, chat_tags.c.tag).where(of_these)):
        kept[chat_id].add(tag)
    wanted = [{"chat_id": chat_id, "tag": tag} for chat_id, tags in kept.items() for tag in new if tag not in tags]
    most = max((len(tags | set(new)) for tags in kept.values()), default=0)
    if most > rows.MOST_TAGS:
        raise BadInput(f"A chat has at most {rows.MOST_TAGS} tags, not {most}.", "Take some away.")
    if wanted:
        connection.execute(chat_tags.insert(), wanted)


def _change(database: Database, chat_ids: Sequence[str], change: Update) -> int:
    with database.write() as connection:
        return sum(connection.execute(change.where(chats.c.id.in_(some))).rowcount for some in _portions(chat_ids))


def _portions(chat_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return rows.portions([values.text(chat_id) for chat_id in dict.fromkeys(chat_ids)])

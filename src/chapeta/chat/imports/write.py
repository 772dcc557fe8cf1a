"""Puts imported chats into the database: what is missing is added, what is there stays as it is.

Chats are written some at a time, each batch in one transaction, so that the app can write between them. A chat and its
turns have ids that follow from the export: what was imported before is known again. Imports SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Table, select

from chapeta.chat import rows
from chapeta.chat.imports.tree import Report, Skips, Tree
from chapeta.chat.types import Attachment, Chat, Turn
from chapeta.storage.database import Database
from chapeta.storage.merge import MOST_AT_ONCE, Merged, content_id, mend_tips, merge
from chapeta.storage.tables import attachments, chats, contents, summaries, turns
from chapeta.types import Json

BATCH_CHATS = 100
BATCH_BYTES = 8 << 20
PORTION_CHARACTERS = 1 << 19  # of rows, which take about half a second to write with their words on a busy machine
DELETED = "deleted here: it can be brought back from the deleted chats"


def write(
    database: Database, trees: Iterable[Tree], skips: Skips, folder: str = "", look: Callable[[], None] = lambda: None
) -> Report:
    """Adds what is missing. folder: for new chats that have none. Raises what reading and the database raise.

    look: is called several times a batch; where it raises something, that batch is not written.
    """
    writer = _Writer(skips, folder, look)
    batch: list[Tree] = []
    size = 0
    try:
        for tree in trees:
            batch.append(tree)
            size += sum(len(turn.text) + len(turn.reasoning) for turn in tree.turns)
            size += sum(len(file.text) + len(file.data or b"") for file in tree.attachments)
            if len(batch) == BATCH_CHATS or size > BATCH_BYTES:
                with database.write() as connection:
                    writer.add(connection, batch)
                batch, size = [], 0
        with database.write() as connection:
            writer.add(connection, batch)
    finally:
        with database.write() as connection:
            mend_tips(connection)  # of a chat whose later parts were lost with the end of the file, or not waited for
    return writer.report()


class _Writer:
    """Counts what it writes."""

    def __init__(self, skips: Skips, folder: str, look: Callable[[], None]) -> None:
        self._skips = skips
        self._look = look
        self._folder = rows.line(folder)
        self._turns = self._attachments = 0
        self._new: set[str] = set()  # chats that this import brought
        self._grown: set[str] = set()
        self._here: set[str] = set()

    def add(self, connection: Connection, batch: Sequence[Tree]) -> None:
        """Writes some chats, or parts of chats."""
        known = _known_chats(connection, batch)
        batch = [tree for tree in batch if not self._is_deleted(tree, known)]
        missing = _missing_turns(connection, batch)
        for tree in batch:
            self._count(tree, known, missing)
        wanted = [self._only(tree, known, missing) for tree in batch]
        self._add(connection, [tree for tree in wanted if tree.turns or tree.summaries or tree.chat.id not in known])
        for tree in batch:
            if tree.chat.id in self._grown - self._new:
                _move_tip(connection, tree)

    def _add(self, connection: Connection, batch: Sequence[Tree]) -> None:
        """Adds what is not there: a chat before its turns, and these before what belongs to them."""
        self._merge(connection, chats, [_chat_row(tree.chat) for tree in batch])
        said = [rows.turn_row(self._bounded(turn)) for tree in batch for turn in tree.turns]
        self._turns += self._merge(connection, turns, said)
        files = [(tree.chat.id, file) for tree in batch for file in tree.attachments]
        self._merge(connection, contents, [row for chat_id, file in files for row in _contents(chat_id, file)])
        self._attachments += self._merge(connection, attachments, [_attachment_row(*pair) for pair in files])
        self._merge(connection, summaries, [rows.summary_row(s) for tree in batch for s in tree.summaries])

    def _merge(self, connection: Connection, table: Table, given: Sequence[Json]) -> int:
        """How many rows were added."""
        merged = Merged()
        for some in _portions(given):
            self._look()
            merged += merge(connection, table, some)
        for why, count in merged.refused.items():
            self._skips.reasons[f"a row of the export: {why}"] += count
        return merged.added

    def report(self) -> Report:
        grown = self._grown - self._new
        here = self._here - self._new - grown
        return Report(
            chats=len(self._new), turns=self._turns, attachments=self._attachments, grown=len(grown),
            already_there=len(here), skipped=tuple(self._skips.named), reasons=dict(self._skips.reasons),
        )  # fmt: skip

    def _is_deleted(self, tree: Tree, known: dict[str, Any]) -> bool:
        found = known.get(tree.chat.id)
        if found is None or found.deleted_at is None:
            return False
        if tree.part < 2:
            self._skips.add(tree.chat.title or tree.chat.id, DELETED)
        return True

    def _only(self, tree: Tree, known: dict[str, Any], missing: set[str]) -> Tree:
        """What is missing of a chat; a new one with a title and a folder, if the export has none."""
        chat = tree.chat
        if chat.id not in known:
            asked = next((turn.text for turn in tree.turns if turn.role == "user" and turn.text), "")
            title = rows.line(chat.title) or rows.title_from(asked)
            chat = replace(chat, title=title, folder=rows.line(chat.folder) or self._folder)
        said = tuple(turn for turn in tree.turns if turn.id in missing)
        files = tuple(file for file in tree.attachments if file.turn_id in missing)
        return replace(tree, chat=chat, turns=said, attachments=files)

    def _bounded(self, turn: Turn) -> Turn:
        if max(len(turn.text), len(turn.reasoning)) <= rows.MOST_TEXT:
            return turn
        self._skips.add(turn.text[:200], f"what a message has beyond {rows.MOST_TEXT:,} characters")
        return replace(turn, text=turn.text[: rows.MOST_TEXT], reasoning=turn.reasoning[: rows.MOST_TEXT])

    def _count(self, tree: Tree, known: dict[str, Any], missing: set[str]) -> None:
        chat_id = tree.chat.id
        self._here.add(chat_id)
        if chat_id not in known:
            self._new.add(chat_id)
        elif any(turn.id in missing for turn in tree.turns):
            self._grown.add(chat_id)


def _portions(given: Sequence[Json]) -> Iterator[list[Json]]:
    """Rows that are written at once: few where they are long."""
    some: list[Json] = []
    size = 0
    for row in given:
        some.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, str | bytes))
        if len(some) == MOST_AT_ONCE or size > PORTION_CHARACTERS:
            yield some
            some, size = [], 0
    if some:
        yield some


def _known_chats(connection: Connection, batch: Sequence[Tree]) -> dict[str, Any]:
    ids = list({tree.chat.id for tree in batch})
    found = select(chats.c.id, chats.c.deleted_at).where(chats.c.id.in_(ids))
    return {row.id: row for row in connection.execute(found)}


def _missing_turns(connection: Connection, batch: Sequence[Tree]) -> set[str]:
    ids = {turn.id for tree in batch for turn in tree.turns}
    for some in rows.portions(list(ids)):
        ids -= set(connection.execute(select(turns.c.id).where(turns.c.id.in_(some))).scalars())
    return ids


def _move_tip(connection: Connection, tree: Tree) -> None:
    """A chat that went on where it came from shows that, unless it went on here too, or shows another branch."""
    shown = connection.execute(select(chats.c.tip_id, chats.c.updated_at).where(chats.c.id == tree.chat.id)).one()
    parents = {turn.id: turn.parent_id for turn in tree.turns}
    place = tree.chat.tip_id
    while place is not None and place != shown.tip_id:
        place = parents.pop(place, None)
    if place is not None:
        new = {"tip_id": tree.chat.tip_id, "updated_at": max(shown.updated_at, tree.chat.updated_at)}
        connection.execute(chats.update().where(chats.c.id == tree.chat.id).values(new))


def _chat_row(chat: Chat) -> Json:
    tags = [tag for tag in dict.fromkeys(rows.line(tag, 60) for tag in chat.tags) if tag]
    return {**rows.chat_row(chat), "deleted_at": None, "tags": tags[: rows.MOST_TAGS]}


def _contents(chat_id: str, file: Attachment) -> list[Json]:
    found = [data for data in (file.text.encode(), file.data or b"") if data]
    return [{"chat_id": chat_id, "id": content_id(data), "data": data} for data in found]


def _attachment_row(chat_id: str, file: Attachment) -> Json:
    return {
        "id": file.id, "chat_id": chat_id, "turn_id": file.turn_id, "name": rows.line(file.name),
        "media_type": rows.line(file.media_type), "size": file.size, "mode": file.mode, "tokens": file.tokens,
        "text_id": content_id(file.text.encode()) if file.text else "",
        "data_id": content_id(file.data) if file.data else "",
    }  # fmt: skip

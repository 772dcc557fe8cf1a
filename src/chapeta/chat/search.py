"""Finds chats by their titles and by what was said in them.

Both databases find the same, as the words are split by us (`storage/words.py`): all words of the query have to occur in
one turn or one title, the last one as a beginning, without regard to case and accents.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from chapeta.chat.listing import Filter
from chapeta.storage import values
from chapeta.storage import words as index
from chapeta.storage.database import Database
from chapeta.types import Json

MARK, END = (
    "\x02",
    "\x03",
)  # around what was found in a snippet; no text holds them, so a page can tell them from markup
BEFORE, AROUND = 60, 240  # characters of a snippet
MOST_SORTED = 1000  # of the newest hits are sorted by time; the rest would not be seen
MOST_LOOKED_AT = 1 << 20  # characters of a turn in which a snippet is looked for
_CONTROL = re.compile("[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """A turn, or a chat by its title (turn_id None). snippet: one line with what was found between MARK and END.

    It is text, not markup: escape it before it goes into a page. created_at: of the turn, else the chat's last change.
    """

    chat_id: str
    turn_id: str | None
    title: str
    role: str
    snippet: str
    created_at: float


def search(database: Database, words: str, *, limit: int = 50, among: Filter | None = None) -> list[Hit]:
    """What holds all the words: chats by their titles first, then turns, the newest first. No words find nothing.

    among: which chats are looked through; else all that are not deleted. Turns that are being written are not found.
    """
    asked = index.asked(words)
    if not asked:
        return []
    with database.read() as connection:
        fitting, given = _fitting(among or Filter())
        given |= {"query": index.query(connection, asked), "limit": limit, "most": max(limit, MOST_SORTED)}
        pattern = _pattern(asked)
        titled = [_titled(row, pattern) for row in connection.execute(text(_titles(connection, fitting)), given)]
        given["limit"] = limit - len(titled)
        found = connection.execute(text(_turns(connection, fitting)), given).all() if given["limit"] else []
        return titled + [_said(connection, row, pattern) for row in found]


def _fitting(wanted: Filter) -> tuple[str, Json]:
    """A condition on `chats`, and the values in it."""
    conditions = [f"chats.deleted_at IS {'NOT ' * wanted.deleted}NULL"]
    if wanted.folder is not None:
        conditions.append("chats.folder = :folder")
    if wanted.tag is not None:
        conditions.append("chats.id IN (SELECT chat_id FROM chat_tags WHERE tag = :tag)")
    if wanted.pinned is not None:
        conditions.append("chats.pinned" if wanted.pinned else "NOT chats.pinned")
    given = {"folder": values.text(wanted.folder or ""), "tag": values.text(wanted.tag or "")}
    return " AND ".join(conditions), given


def _titles(connection: Connection, fitting: str) -> str:
    return f"""
        SELECT chats.id, chats.title, chats.updated_at
        FROM chat_words AS found JOIN chats ON chats.number = {_number(connection)}
        WHERE {index.matches(connection, "chat_words")} AND {fitting}
        ORDER BY chats.updated_at DESC LIMIT :limit"""


def _turns(connection: Connection, fitting: str) -> str:
    """Numbers rise with time, so the newest are had without sorting all that is found; an import's may not."""
    return f"""
        SELECT * FROM (
            SELECT chat_turns.number, chat_turns.id, chat_turns.chat_id, chat_turns.role, chat_turns.created_at,
                chats.title
            FROM turn_words AS found
            JOIN chat_turns ON chat_turns.number = {_number(connection)}
            JOIN chats ON chats.id = chat_turns.chat_id
            WHERE {index.matches(connection, "turn_words")} AND {fitting}
            ORDER BY {_number(connection)} DESC LIMIT :most
        ) AS newest ORDER BY created_at DESC, number DESC LIMIT :limit"""


def _number(connection: Connection) -> str:
    return "found.number" if connection.dialect.name == "postgresql" else "found.rowid"


def _titled(row: Any, pattern: re.Pattern[str]) -> Hit:
    return Hit(row.id, None, row.title, "", snippet(row.title, pattern), row.updated_at)


def _said(connection: Connection, row: Any, pattern: re.Pattern[str]) -> Hit:
    """One at a time, as a turn may be long."""
    cut = text("SELECT substr(text, 1, :most) FROM chat_turns WHERE number = :number")
    said = connection.execute(cut, {"most": MOST_LOOKED_AT, "number": row.number}).scalar() or ""
    return Hit(row.chat_id, row.id, row.title, row.role, snippet(said, pattern), row.created_at)


def snippet(said: str, pattern: re.Pattern[str]) -> str:
    """What stands around the first place where a word was found, on one line, with every word found there marked."""
    whole = index.composed(said)
    folded = index.fold(whole)
    first = pattern.search(folded)
    start = max(0, first.start() - BEFORE) if first else 0
    while 0 < start < len(whole) and first and start < first.start() and whole[start - 1].isalnum():
        start += 1  # begin with a whole word
    end = min(len(whole), start + AROUND)
    parts: list[str] = ["…" if start else ""]
    place = start
    for found in pattern.finditer(folded, start, end):
        parts += [_plain(whole[place : found.start()]), MARK, _plain(whole[found.start() : found.end()]), END]
        place = found.end()
    parts += [_plain(whole[place:end]), "…" if end < len(whole) else ""]
    return "".join(parts).strip()


def _plain(part: str) -> str:
    return _CONTROL.sub(" ", part)


def _pattern(asked: Sequence[str]) -> re.Pattern[str]:
    """Finds the words in a folded text, where a word begins: those asked for as a beginning up to the word's end."""
    words = sorted({word.rstrip("*") for word in asked}, key=len, reverse=True)
    beginnings = {word[:-1] for word in asked if word.endswith("*")}
    paired = index.pattern()
    parts = []
    for word in words:
        found = paired.fullmatch(word)
        if found is not None and found.lastgroup == "paired":
            parts.append(re.escape(word))
        elif word in beginnings:
            parts.append(rf"(?<![^\W_]){re.escape(word)}[^\W_]*")
        else:
            parts.append(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])")
    return re.compile("|".join(parts))

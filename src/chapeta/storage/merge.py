"""Adds rows that come from elsewhere, a backup or an import: what is here stays, what is missing is added.

Rows are untrusted. One that does not fit its table, or hangs on nothing that is here, is refused and counted. Parents
have to come before their children, as a turn's number has to be above its parent's (`tables.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Boolean, Connection, Double, Integer, LargeBinary, Table, select, text

from chapeta.storage import values, words
from chapeta.storage.calls import COLUMNS, cleaned, insert_calls
from chapeta.storage.database import insert_new
from chapeta.storage.tables import (
    MOST_USD,
    attachments,
    calls,
    chat_tags,
    chats,
    contents,
    requests,
    summaries,
    turns,
)
from chapeta.types import Json

MOST_AT_ONCE = 500  # rows
ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
MOST_TAGS, MOST_TAG, MOST_SHORT = 50, 60, 500
SHORT = ("title", "folder", "model", "skill", "skill_version", "name", "media_type")  # are shown in lists
ONE_OF = {
    turns.c.role: ("user", "assistant"),
    turns.c.status: ("done", "streaming", "stopped", "failed", "cut"),
    turns.c.skill_by: ("", "hand", "always", "model"),
    attachments.c.mode: ("image", "whole", "relevant"),
}
IDS = ("id", "chat_id", "turn_id", "upto_id")
MOMENTS = ("created_at", "updated_at", "deleted_at", "started_at")


@dataclass(slots=True)
class Merged:
    """What was done with rows. added: of which each table has more now; already: were there; refused: why, how often."""

    added: int = 0
    already: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: Merged) -> Merged:
        self.added += other.added
        self.already += other.already
        self.refused += other.refused
        return self


def merge(connection: Connection, table: Table, given: Sequence[Json]) -> Merged:
    """Adds what is missing of some rows, MOST_AT_ONCE at most: of chats (with `tags`), their parts, or calls."""
    merged = Merged()
    sound = [row for row in (_sound(table, row) for row in given) if row is not None]
    merged.refused["not a row of this table"] += len(given) - len(sound)
    if table is calls:
        _add_calls(connection, sound, merged)
    else:
        new = _new(connection, table, sound)
        merged.already += len(sound) - len(new)
        fitting = FITS[table](connection, new)
        merged.refused["belongs to nothing that is here"] += len(new) - len(fitting)
        _add(connection, table, fitting)
        merged.added += len(fitting)
    merged.refused = +merged.refused
    return merged


def mend_tips(connection: Connection) -> None:
    """Where a chat's tip is no turn of it, as after a restore that was broken off, its newest turn becomes it."""
    connection.execute(
        text(
            "UPDATE chats SET tip_id = (SELECT id FROM chat_turns WHERE chat_id = chats.id ORDER BY number DESC LIMIT 1) "
            "WHERE tip_id IS NOT NULL AND NOT EXISTS "
            "(SELECT 1 FROM chat_turns WHERE chat_turns.id = chats.tip_id AND chat_turns.chat_id = chats.id)"
        )
    )


def _sound(table: Table, given: Json) -> Json | None:
    """The row with the table's columns in their types; None if it cannot be one."""
    row: Json = {}
    for column in table.columns:
        if column.name == "number":
            continue
        value = _value(column, given.get(column.name))
        if value is None and not column.nullable:
            return None
        row[column.name] = value
    if any(name in row and not ID.fullmatch(row[name]) for name in IDS) and table is not calls:
        return None
    if any(row.get(name) is not None and row[name] >= values.MOST_MOMENT_S for name in MOMENTS):
        return None
    if any(column.table is table and row[column.name] not in allowed for column, allowed in ONE_OF.items()):
        return None
    return SPECIAL[table](row, given) if table in SPECIAL else row


def _value(column: Any, given: Any) -> Any:
    if isinstance(column.type, Boolean):
        return given if isinstance(given, bool) else None
    if isinstance(column.type, Integer):
        return values.whole(given)
    if isinstance(column.type, Double):
        return values.amount(given, MOST_USD if column.name == "usd" else 1e15)
    if isinstance(column.type, LargeBinary):
        return given if isinstance(given, bytes) else None
    if not isinstance(given, str):
        return None
    return values.text(given[:MOST_SHORT] if column.name in SHORT else given)


def _chat(row: Json, given: Json) -> Json | None:
    tags = given.get("tags", [])
    if not isinstance(tags, list) or len(tags) > MOST_TAGS or not all(isinstance(t, str) and t for t in tags):
        return None
    return {**row, "tags": list(dict.fromkeys(values.text(tag[:MOST_TAG]) for tag in tags))}


def _turn(row: Json, _: Json) -> Json | None:
    if row["parent_id"] and not ID.fullmatch(row["parent_id"]):
        return None
    if row["error"] is not None and not isinstance(_json(row["error"]), dict):
        return None
    return {**row, "status": "cut"} if row["status"] == "streaming" else row


def _content(row: Json, _: Json) -> Json | None:
    return row if row["id"] == content_id(row["data"]) else None


def _request(row: Json, _: Json) -> Json | None:
    return row if isinstance(_json(row["body"]), dict) else None


SPECIAL: dict[Table, Callable[[Json, Json], Json | None]] = {
    chats: _chat,
    turns: _turn,
    contents: _content,
    requests: _request,
}


def content_id(data: bytes) -> str:
    """The id that bytes have in `chat_contents`."""
    return hashlib.sha256(data).hexdigest()[:32]


def _json(given: str) -> Any:
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return None


def _any(_: Connection, new: list[Json]) -> list[Json]:
    return new


def _of_chats(connection: Connection, new: list[Json]) -> list[Json]:
    here = _known(connection, chats.c.id, (row["chat_id"] for row in new))
    return [row for row in new if row["chat_id"] in here]


def _of_parents(connection: Connection, new: list[Json]) -> list[Json]:
    """Turns whose chat is here, and whose parent is, in the same chat."""
    places = _chats_of_turns(connection, (row["parent_id"] for row in new))
    found: list[Json] = []
    for row in _of_chats(connection, new):
        if not row["parent_id"] or places.get(row["parent_id"]) == row["chat_id"]:
            places[row["id"]] = row["chat_id"]
            found.append(row)
    return found


def _of_turns(name: str) -> Callable[[Connection, list[Json]], list[Json]]:
    def fitting(connection: Connection, new: list[Json]) -> list[Json]:
        places = _chats_of_turns(connection, (row[name] for row in new))
        return [row for row in new if places.get(row[name]) == row["chat_id"]]

    return fitting


FITS: dict[Table, Callable[[Connection, list[Json]], list[Json]]] = {
    chats: _any,
    turns: _of_parents,
    contents: _of_chats,
    attachments: _of_turns("turn_id"),
    requests: _of_turns("turn_id"),
    summaries: _of_turns("upto_id"),
}


def _new(connection: Connection, table: Table, sound: list[Json]) -> list[Json]:
    """The rows that are not here, each once. What is in `chat_contents` is named by its chat and its id."""
    if table is contents:
        here = select(contents.c.chat_id, contents.c.id).where(  # both, or SQLite looks through all that are there
            contents.c.chat_id.in_({row["chat_id"] for row in sound}), contents.c.id.in_([row["id"] for row in sound])
        )
        known = {tuple(row) for row in connection.execute(here)}
        keyed = {(row["chat_id"], row["id"]): row for row in reversed(sound)}
        return [row for key, row in reversed(keyed.items()) if key not in known]
    key = "turn_id" if table is requests else "id"
    known = _known(connection, table.c[key], (row[key] for row in sound))
    first = {row[key]: row for row in reversed(sound)}
    return [row for name, row in reversed(first.items()) if name not in known]


def _add(connection: Connection, table: Table, new: list[Json]) -> None:
    if not new:
        return
    rows = [{name: value for name, value in row.items() if name != "tags"} for row in new]
    connection.execute(insert_new(connection, table), rows)
    if table is chats:
        tags = [{"chat_id": row["id"], "tag": tag} for row in new for tag in row["tags"]]
        if tags:
            connection.execute(insert_new(connection, chat_tags), tags)
        _index(connection, "chat_words", chats, "title", new)
    elif table is turns:
        _index(connection, "turn_words", turns, "text", new)


def _index(connection: Connection, index: str, table: Table, column: str, new: list[Json]) -> None:
    texts = {row["id"]: row[column] for row in new}
    numbers = connection.execute(select(table.c.number, table.c.id).where(table.c.id.in_(texts)))
    words.put(connection, index, [(number, texts[row_id]) for number, row_id in numbers.all()])


def _add_calls(connection: Connection, sound: list[Json], merged: Merged) -> None:
    known = _known(connection, calls.c.id, (row["id"] for row in sound))
    new = {row["id"]: row for row in sound if row["id"] not in known}
    insert_calls(connection, [cleaned([row[name] for name in COLUMNS]) for row in new.values()])
    merged.added += len(new)
    merged.already += len(sound) - len(new)


def _known(connection: Connection, column: Any, ids: Iterable[str]) -> set[Any]:
    return set(connection.execute(select(column).where(column.in_(list(set(ids))))).scalars())


def _chats_of_turns(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    found = select(turns.c.id, turns.c.chat_id).where(turns.c.id.in_(list(set(ids))))
    return {row.id: row.chat_id for row in connection.execute(found)}

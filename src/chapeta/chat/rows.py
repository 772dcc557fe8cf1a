"""Turns, chats and attachments as the database's rows, and back."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, select

from chapeta.chat.types import Attachment, Chat, Summary, Turn
from chapeta.errors import BadInput
from chapeta.storage import merge, values
from chapeta.storage.database import insert_new
from chapeta.storage.tables import MOST_USD, attachments, chat_tags, chats, contents, summaries, turns
from chapeta.types import Json

Item = TypeVar("Item")
AnyRow = Row[*tuple[Any, ...]]

IDS_A_STATEMENT = 500
MOST_TEXT = 16 << 20  # characters of a turn, or of a document
MOST_DATA_BYTES = 32 << 20  # of an image
MOST_TITLE = 200  # characters
TITLE_FROM_QUESTION = 60
MOST_TAGS = 50

TURN = (
    turns.c.id, turns.c.chat_id, turns.c.parent_id, turns.c.role, turns.c.text, turns.c.status, turns.c.created_at,
    turns.c.reasoning, turns.c.model, turns.c.skill, turns.c.skill_version, turns.c.skill_by, turns.c.call_id,
    turns.c.tokens_in, turns.c.tokens_out, turns.c.tokens_cached, turns.c.usd, turns.c.latency_ms,
    turns.c.first_token_ms, turns.c.error,
)  # fmt: skip
CHAT = (
    chats.c.id, chats.c.title, chats.c.folder, chats.c.pinned, chats.c.created_at, chats.c.updated_at,
    chats.c.model, chats.c.skill, chats.c.tip_id,
)  # fmt: skip
ATTACHMENT = (
    attachments.c.id, attachments.c.turn_id, attachments.c.name, attachments.c.media_type, attachments.c.size,
    attachments.c.mode, attachments.c.tokens, contents.c.data,
)  # fmt: skip
SUMMARY = (
    summaries.c.id, summaries.c.chat_id, summaries.c.upto_id, summaries.c.text, summaries.c.tokens,
    summaries.c.created_at,
)  # fmt: skip


def new_id() -> str:
    return uuid.uuid4().hex


def chat_row(chat: Chat) -> Json:
    """A row of `chats`; the tags have a table of their own."""
    return {column.name: getattr(chat, column.name) for column in CHAT}


def turn_row(turn: Turn) -> Json:
    """A row of `chat_turns`."""
    row = {column.name: getattr(turn, column.name) for column in TURN}
    return {**row, "parent_id": turn.parent_id or "", "error": error_text(turn.error) if turn.error else None}


def summary_row(summary: Summary) -> Json:
    return {column.name: getattr(summary, column.name) for column in SUMMARY}


def turn_of(row: AnyRow) -> Turn:
    """A turn from a row with the columns of TURN."""
    given = row._asdict()
    error = given["error"]
    return Turn(**{**given, "parent_id": given["parent_id"] or None, "error": json.loads(error) if error else None})


def chats_of(connection: Connection, rows: Sequence[AnyRow]) -> list[Chat]:
    """Chats from rows with the columns of CHAT, with their tags."""
    tags: dict[str, list[str]] = {}
    for some in portions([row.id for row in rows]):
        found = select(chat_tags).where(chat_tags.c.chat_id.in_(some)).order_by(chat_tags.c.tag)
        for chat_id, tag in connection.execute(found):
            tags.setdefault(chat_id, []).append(tag)
    return [Chat(**row._asdict(), tags=tuple(tags.get(row.id, ()))) for row in rows]


def attachment_of(row: AnyRow) -> Attachment:
    """An attachment from a row with the columns of ATTACHMENT, `data` being its text."""
    given = row._asdict()
    text = bytes(given.pop("data") or b"").decode("utf-8", "replace")
    return Attachment(**given, text=text)


def summary_of(row: AnyRow) -> Summary:
    return Summary(**row._asdict())


def figures(given: Json) -> Json:
    """What a turn took, in the types of its columns; what is None, or nonsense, is left out."""
    found: Json = {name: values.whole(given.get(name)) for name in ("tokens_in", "tokens_out", "tokens_cached")}
    found |= {name: values.amount(given.get(name)) for name in ("latency_ms", "first_token_ms")}
    found["usd"] = values.amount(given.get("usd"), MOST_USD)
    return {name: value for name, value in found.items() if value is not None}


def error_text(error: Json) -> str:
    return json.dumps(values.texts(error), default=str)


def text(given: str) -> str:
    """A turn's or a document's text. Raises BadInput where it is too long."""
    if len(given) > MOST_TEXT:
        raise BadInput(
            f"This text has {len(given):,} characters; a chat takes {MOST_TEXT:,} at once.",
            "Shorten it, or give it in parts.",
        )
    return values.text(given)


def line(given: str, most: int = MOST_TITLE) -> str:
    """A title or name on one line."""
    return values.text(" ".join(given[: most * 10].split())[:most])


def add_tags(connection: Connection, chat_id: str, given: Iterable[str]) -> None:
    if found := tags_of(given):
        connection.execute(chat_tags.insert(), [{"chat_id": chat_id, "tag": tag} for tag in found])


def tags_of(given: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(filter(None, (line(tag, 60) for tag in given))))
    if len(found) > MOST_TAGS:
        raise BadInput(f"A chat has at most {MOST_TAGS} tags, not {len(found)}.", "Take some away.")
    return found


def title_from(question: str) -> str:
    """A chat's title from its first question: its first line, cut between words."""
    first = next((found for found in map(line, question[:5000].splitlines()) if re.search(r"\w", found)), "")
    if len(first) <= TITLE_FROM_QUESTION:
        return first
    cut = first[:TITLE_FROM_QUESTION]
    return (cut.rpartition(" ")[0] or cut).rstrip(" ,;:.") + "…"


def keep_content(connection: Connection, chat_id: str, data: bytes) -> str:
    """Puts bytes where a chat's contents are, once; returns their id there."""
    if not data:
        return ""
    if len(data) > MOST_DATA_BYTES * 2:
        raise BadInput(f"This file has {len(data) / 1e6:.0f} MB.", "Give a smaller one.")
    content_id = merge.content_id(data)
    values_ = {"chat_id": chat_id, "id": content_id, "data": data}
    connection.execute(insert_new(connection, contents), values_)
    return content_id


def portions(ids: Sequence[Item], size: int = IDS_A_STATEMENT) -> Iterator[Sequence[Item]]:
    """Pieces of a list, as statements take only so many values."""
    return (ids[start : start + size] for start in range(0, len(ids), size))

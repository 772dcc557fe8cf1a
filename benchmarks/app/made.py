"""Made-up chats to fill a database with: many short ones, and long ones in Markdown as models write it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from store import NOW, Texts, chat_row, turn_row

from chapeta.storage.database import Database
from chapeta.storage.merge import MOST_AT_ONCE, merge
from chapeta.storage.tables import chats, turns

LONG_TURNS, LONG_CHARACTERS = 1000, 2000
WORDS = (20, 120)  # of a turn of the many
MODEL = "mine/2000-200"  # provider.py's
END = "endofturn"  # the last word of a long turn


def fill(database: Database, chat_count: int, turn_count: int, long_chats: int) -> None:
    """So many chats with so many turns in all, and long chats `long0` … of 1,000 turns; the way of an import."""
    make = Texts()
    each = turn_count // chat_count
    rows = [chat_row(f"c{n}", NOW + n, f"c{n}t{each - 1}", make.text(6)) for n in range(chat_count)]
    later = NOW + chat_count
    rows += [
        chat_row(f"long{n}", later + n, f"long{n}t{LONG_TURNS - 1}", f"long one {n}", MODEL) for n in range(long_chats)
    ]
    for start in range(0, len(rows), MOST_AT_ONCE):
        with database.write() as connection:
            merge(connection, chats, rows[start : start + MOST_AT_ONCE])
    _put(database, _short(make, chat_count, each))
    _put(database, _long(long_chats, later))


def markdown(characters: int, seed: int = 0) -> str:
    """At least so many characters: headings, paragraphs, lists, code, a table and a formula, over and over."""
    make = Texts(seed)
    parts: list[str] = []
    size = 0
    while size < characters:
        parts.append(_section(make))
        size += len(parts[-1])
    return "".join(parts)


def _section(make: Texts) -> str:
    """About 1,300 characters."""
    code = "\n".join(f'    {word} = len("{word}") + {number}' for number, word in enumerate(make.text(5).split()))
    cells = "\n".join(f"| {make.text(2)} | {number} |" for number in range(4))
    items = "\n".join(f"- **{make.text(1)}** {make.text(9)}" for _ in range(4))
    return (
        f"## {make.text(4)}\n\n{make.text(45)} `{make.text(1)}` {make.text(30)} *{make.text(2)}* {make.text(20)}.\n\n"
        f"{items}\n\n```python\ndef {make.text(1)}():\n{code}\n```\n\n| name | figure |\n|---|--:|\n{cells}\n\n"
        f"Here $x^2 + {make.random.randint(1, 99)}$ is what {make.text(25)}.\n\n"
    )


def _short(make: Texts, chat_count: int, each: int) -> Iterator[dict[str, Any]]:
    for chat in range(chat_count):
        for place in range(each):
            yield turn_row(f"c{chat}", place, NOW + chat, make.text(make.random.randint(*WORDS)))


def _long(long_chats: int, moment: float) -> Iterator[dict[str, Any]]:
    for chat in range(long_chats):
        for place in range(LONG_TURNS):
            text = markdown(LONG_CHARACTERS, seed=chat * LONG_TURNS + place) + END + str(place)
            yield turn_row(f"long{chat}", place, moment + chat, text)


def _put(database: Database, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == MOST_AT_ONCE:
            _write(database, batch)
            batch = []
    _write(database, batch)


def _write(database: Database, batch: list[dict[str, Any]]) -> None:
    with database.write() as connection:
        merge(connection, turns, batch)

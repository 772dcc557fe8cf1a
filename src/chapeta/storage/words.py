"""The words by which texts are found: split and folded by us, so that both databases find the same.

A word is a run of letters and digits with its marks, folded: no case, no accents. Scripts without blanks between words
(Chinese, Japanese, Korean, Thai …) are indexed by pairs of characters. Each word stands once in a text's entry: an FTS5
table without positions in SQLite, a tsvector with GIN in PostgreSQL. Words hold no character that a query could take
for an operator, whatever a user wrote.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain

from sqlalchemy import Connection, text

MOST_WORD = 64  # characters; what is longer is found by its beginning
MOST_ENTRY_BYTES = 800_000  # of different words of one text; PostgreSQL's bound is 1 MiB
MOST_QUERY = 2000  # characters
MOST_ASKED = 32  # words of a query

_PAIRED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)


class _Folded(dict[int, int]):
    """One character for one, found when it first occurs: so a place in the folded text is one in the text."""

    def __missing__(self, code: int) -> int:
        base = unicodedata.normalize("NFKD", chr(code)).lower()
        plain = "".join(c for c in base if not unicodedata.combining(c))
        self[code] = ord(plain) if len(plain) == 1 else code
        return self[code]


_folded = _Folded()


def composed(given: str) -> str:
    """A text whose folded form has the same places."""
    return given if given.isascii() else unicodedata.normalize("NFC", given)


def fold(given: str) -> str:
    """A composed text without case and accents, character by character."""
    return given.lower() if given.isascii() else given.translate(_folded)


def words(given: str) -> Iterator[str]:
    """The words of a text, in their order and as often as they occur."""
    for found in pattern().finditer(fold(composed(given))):
        word = found[0]
        if found.lastgroup == "paired":
            yield from (word[place : place + 2] for place in range(len(word)))
        else:
            yield word[:MOST_WORD]


def asked(given: str) -> list[str]:
    """The words of a query, each once. With a * at its end: any word that begins so, as the last one may be unfinished."""
    found: list[str] = []
    for run in pattern().finditer(fold(composed(given[:MOST_QUERY]))):
        word = run[0]
        if run.lastgroup != "paired":
            found.append(word[:MOST_WORD])
        elif len(word) == 1:
            found.append(f"{word}*")
        else:
            found += (word[place : place + 2] for place in range(len(word) - 1))
    del found[MOST_ASKED:]
    if found:
        found[-1] = found[-1].rstrip("*") + "*"
    return list(dict.fromkeys(found))


def put(connection: Connection, table: str, texts: Iterable[tuple[int, str]]) -> None:
    """Makes or replaces entries of `turn_words` or `chat_words`, by the rows' numbers."""
    rows = [{"number": number, "words": _entry(given)} for number, given in texts]
    if not rows:
        return
    remove(connection, table, [row["number"] for row in rows])  # type: ignore[misc]
    if connection.dialect.name == "postgresql":
        insert = f"INSERT INTO {table} (number, words) VALUES (:number, array_to_tsvector(CAST(:words AS TEXT[])))"
    else:
        insert = f"INSERT INTO {table} (rowid, words) VALUES (:number, :words)"
        rows = [{**row, "words": " ".join(row["words"])} for row in rows]  # type: ignore[arg-type]
    connection.execute(text(insert), rows)


def remove(connection: Connection, table: str, numbers: Sequence[int]) -> None:
    """Removes entries, where there are any."""
    place = "number" if connection.dialect.name == "postgresql" else "rowid"
    connection.execute(text(f"DELETE FROM {table} WHERE {place} = :number"), [{"number": n} for n in numbers])


def query(connection: Connection, found: Sequence[str]) -> str:
    """What `asked` has found as the database's own query: all of it has to occur."""
    if connection.dialect.name == "postgresql":
        return " & ".join(f"'{word[:-1]}':*" if word.endswith("*") else f"'{word}'" for word in found)
    return " ".join(f'"{word[:-1]}"*' if word.endswith("*") else f'"{word}"' for word in found)


def matches(connection: Connection, table: str) -> str:
    """The condition of a row of `turn_words` or `chat_words` (named `found`) that `:query` finds."""
    if connection.dialect.name == "postgresql":
        return "found.words @@ CAST(:query AS TSQUERY)"
    return f"found.{table} MATCH :query"


@cache
def pattern() -> re.Pattern[str]:
    """What a word is, in a folded text. Python's \\w knows no vowel signs, without which Hindi falls into pieces."""
    marks = (code for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    return re.compile(f"(?P<paired>[{_PAIRED}]+)|(?:(?![{_PAIRED}])[^\\W_]|[{_ranges(marks)}])+")


def _entry(given: str) -> list[str]:
    entry: list[str] = []
    size = 0
    for word in dict.fromkeys(words(given)):
        size += len(word.encode()) + 1
        if size > MOST_ENTRY_BYTES:
            break
        entry.append(word)
    return entry


def _ranges(codes: Iterable[int]) -> str:
    """Rising numbers of characters as the inside of a regular expression's class."""
    found: list[str] = []
    first = last = -2
    for code in chain(codes, [sys.maxunicode + 2]):
        if code == last + 1:
            last = code
            continue
        if first >= 0:
            found.append(f"{chr(first)}-{chr(last)}")
        first = last = code
    return "".join(found)

"""How fast the chats' storage is with many chats. Prints a table of milliseconds, of many runs each.

    python benchmarks/app/store.py [--url postgresql://…] [--chats 10000] [--turns 100000]     (PYTHONPATH=src)

Without --url in a new SQLite file in a temporary folder, else in the database named, which has to be empty (or filled
by an earlier run) and is left full. `own` is the median of this process's own processor time, which other work on the
machine does not lengthen; PostgreSQL's work is not in it. Texts are made up from a seed: 50,000 words that occur as often
as words do (Zipf), 20 to 400 in a turn. One chat has 1,000 turns of 20 KB each.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy

from chapeta.chat.search import search
from chapeta.chat.store import Chats
from chapeta.storage.database import Database, open_database
from chapeta.storage.merge import MOST_AT_ONCE, merge
from chapeta.storage.tables import chats, turns

LONG_TURNS, LONG_WORDS = 1000, 3000
STREAMED_CHARACTERS = 100_000
REPEATS = 25
NOW = 1.8e9
COMMON = ("ba", "be", "bi", "bo")  # the most frequent words


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", help="the address of an empty PostgreSQL database")
    parser.add_argument("--chats", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.url or f"sqlite:///{Path(folder) / 'chapeta.sqlite'}"
        with open_database(url) as database:
            if not Chats(database).page(limit=1):
                _fill(database, arguments.chats, arguments.turns)
            _measure(database)
        if not arguments.url:
            print(f"{'size of the database':<44}{(Path(folder) / 'chapeta.sqlite').stat().st_size / 1e6:>10,.0f} MB")


def _fill(database: Database, chat_count: int, turn_count: int) -> None:
    """Chats with as many turns each, the last one with the long ones, in the way of an import."""
    make = Texts()
    started = time.perf_counter()
    rows = [chat_row(f"c{n}", NOW + n, f"c{n}t{turn_count // chat_count - 1}", make.text(6)) for n in range(chat_count)]
    rows.append(chat_row("long", NOW + chat_count, f"longt{LONG_TURNS - 1}", "the long one"))
    for start in range(0, len(rows), MOST_AT_ONCE):
        with database.write() as connection:
            merge(connection, chats, rows[start : start + MOST_AT_ONCE])
    batch: list[dict[str, Any]] = []

    def put(row: dict[str, Any] | None) -> None:
        if row is not None:
            batch.append(row)
        if len(batch) == MOST_AT_ONCE or row is None:
            with database.write() as connection:
                merge(connection, turns, batch)
            batch.clear()

    for chat in range(chat_count):
        for turn in range(turn_count // chat_count):
            put(turn_row(f"c{chat}", turn, NOW + chat, make.text(make.random.randint(20, 400))))
    for turn in range(LONG_TURNS):
        put(turn_row("long", turn, NOW + chat_count, make.text(LONG_WORDS)))
    put(None)
    print(f"{'filled, in seconds':<44}{time.perf_counter() - started:>10,.1f}")


def _measure(database: Database) -> None:
    store = Chats(database)
    print(f"{'':<44}{'median ms':>10}{'slowest':>10}{'own':>10}")
    page = store.page(before=(NOW * 2, ""))
    deep = (NOW + 50, "c50")
    tip = f"longt{LONG_TURNS - 1}"
    newest = store.branch(tip)
    assert len(page) == 50 and len(newest) == 40 and newest[-1].id == tip
    ids = [turn.id for turn in newest]
    _show("page: the newest 50 chats", lambda: store.page())
    _show("page: 50 at the very end", lambda: store.page(before=deep))
    _show("page of a folder", lambda: store.page(folder="folder 7"))
    _show("page of the pinned", lambda: store.page(pinned=True))
    _show("page of a tag", lambda: store.page(tag="tag 3"))
    _show("folders and tags", lambda: (store.folders(), store.tags()))
    _show("branch: newest 40 of 1,000 turns of 20 KB", lambda: store.branch(tip))
    _show("branch: the 40 before them", lambda: store.branch(tip, before=ids[0]))
    _show("branch: all 1,000", lambda: store.branch(tip, limit=100_000), repeats=5)
    _show("siblings of 40", lambda: store.siblings(ids))
    _show("attachments of 40", lambda: store.attachments(ids))
    _show("tip below the first of 1,000", lambda: store.tip_below("longt0"))
    _show("spent in a chat of 1,000", lambda: store.spent("long"))
    for words in ("ba", f"{COMMON[1]} {COMMON[2]} ", "b", "zu", "banadunu", "ba be bi bo banadu", "xyzzy", "folge 世"):
        _show(f"search {words!r}: {len(search(database, words))} hits", partial(search, database, words))
    _write(store)


def _write(store: Chats) -> None:
    make = Texts()
    chat = store.create()
    question = store.add(chat.id, None, "user", make.text(100))
    _show("add a question of 100 words", lambda: store.add(chat.id, question.id, "user", make.text(100)))
    answer = store.add(chat.id, question.id, "assistant", "", status="streaming")
    text = make.text(STREAMED_CHARACTERS // 5)[:STREAMED_CHARACTERS]
    _show("update while it streams, at 100 KB", lambda: store.update(answer.id, text=text + str(time.time())))
    _show("update at the end, 100 KB", lambda: store.update(answer.id, text=text, status="done"))
    _show("recover: nothing was cut", lambda: store.recover())
    _show("delete, and bring back", lambda: [act(chat.id) for act in (store.delete, store.undelete)])


def _show(what: str, act: Callable[[], object], repeats: int = REPEATS) -> None:
    took: list[float] = []
    own: list[float] = []
    for _ in range(repeats):
        started, own_started = time.perf_counter(), time.process_time()
        act()
        took.append((time.perf_counter() - started) * 1000)
        own.append((time.process_time() - own_started) * 1000)
    print(f"{what:<44}{statistics.median(took):>10,.1f}{max(took):>10,.1f}{statistics.median(own):>10,.1f}")
    sys.stdout.flush()


class Texts:
    """Made-up texts of 50,000 words, with the frequencies of a language."""

    def __init__(self, seed: int = 7) -> None:
        self.random = random.Random(seed)
        self._numbers = numpy.random.default_rng(seed)
        self._words, self._edges = _vocabulary()

    def text(self, words: int) -> str:
        places = numpy.searchsorted(self._edges, self._numbers.random(words)).clip(max=len(self._words) - 1)
        return " ".join(self._words[places].tolist())


@cache
def _vocabulary() -> tuple[Any, Any]:
    """The words, and the upper edge of each one's share of the line from 0 to 1."""
    chosen = random.Random(7)
    syllables = [consonant + vowel for consonant in "bdfghklmnprstvwz" for vowel in "aeiou"]
    made = dict.fromkeys(COMMON)
    while len(made) < 50_000:
        made["".join(chosen.choices(syllables, k=chosen.choice((1, 2, 2, 3, 3, 3, 4, 5))))] = None
    share = 1 / numpy.arange(1, len(made) + 1)
    return numpy.array(list(made)), numpy.cumsum(share / share.sum())


def chat_row(chat_id: str, moment: float, tip_id: str, title: str, model: str = "smollm2-135m") -> dict[str, Any]:
    number = int(moment - NOW)
    return {
        "id": chat_id, "created_at": moment, "updated_at": moment, "deleted_at": None, "pinned": number % 1000 == 5,
        "tip_id": tip_id, "model": model, "skill": "", "folder": f"folder {number % 50}" if number % 3 else "",
        "title": title, "tags": [f"tag {number % 20}"] if number % 4 == 0 else [],
    }  # fmt: skip


def turn_row(chat_id: str, place: int, moment: float, text: str) -> dict[str, Any]:
    return {
        "id": f"{chat_id}t{place}", "chat_id": chat_id, "parent_id": f"{chat_id}t{place - 1}" if place else "",
        "role": "assistant" if place % 2 else "user", "status": "done", "created_at": moment + place / 1e4,
        "model": "", "skill": "", "skill_version": "", "skill_by": "", "call_id": f"{place}" if place % 2 else "",
        "tokens_in": 1000, "tokens_out": 200, "tokens_cached": None, "usd": 0.001 if place % 3 else None,
        "latency_ms": 900.0, "first_token_ms": 200.0, "error": None, "reasoning": "", "text": text,
    }  # fmt: skip


if __name__ == "__main__":
    main()

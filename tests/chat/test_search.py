"""Finding what was said: in any language, whatever is typed, with snippets that are safe to show, on both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chapeta.chat.listing import Filter
from chapeta.chat.search import END, MARK, search
from chapeta.chat.store import Chats
from chapeta.storage.database import Database, open_database

SAID = {
    "german": "Die Straße ist überschwemmt; Café Müller hat zu.",
    "french": "L'été dernier, à Orléans.",
    "decomposed": "re\u0301sume\u0301 of the year",
    "russian": "Ёжик в тумане",
    "greek": "Το ΜΗΛΟ κάτω από τη μηλιά",
    "chinese": "世界和平是好事",
    "japanese": "東京タワーへ行きました",
    "korean": "한국어를 공부합니다",
    "thai": "สวัสดีครับ",
    "hindi": "मुझे हिन्दी पसंद है",
    "arabic": "السلام عليكم",
    "code": "def read_file(path): return open(path).read()  # C++ & x86-64",
    "markup": "<script>alert('x')</script> & <b>bold</b>",
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url) as database:
        yield database


@pytest.fixture
def said(database: Database) -> dict[str, str]:
    """Names of what was said, by the turns' ids."""
    chats = Chats(database)
    chat = chats.create(title="A chat about everything")
    return {chats.add(chat.id, None, "user", text).id: name for name, text in SAID.items()}


FOUND = [
    ("STRASSE", set()), ("straße", {"german"}), ("uber", {"german"}), ("Muller cafe", {"german"}), ("mull", {"german"}),
    ("mull cafe", set()), ("ete", {"french"}), ("Orleans", {"french"}), ("résumé", {"decomposed"}), ("resu", {"decomposed"}),
    ("ежик", {"russian"}), ("ΜΗΛΙΑ", {"greek"}), ("μηλ", {"greek"}), ("世界", {"chinese"}), ("和平是好", {"chinese"}),
    ("平", {"chinese"}), ("界世", set()), ("東京", {"japanese"}), ("タワー", {"japanese"}), ("한국", {"korean"}),
    ("สวัสดี", {"thai"}), ("हिन्दी", {"hindi"}), ("हि", {"hindi"}), ("عليكم", {"arabic"}), ("read_file", {"code"}),
    ("file read", {"code"}), ("c++", {"german", "code"}), ("x86", {"code"}), ("script ALERT", {"markup"}),
]  # fmt: skip


def test_words_of_any_language_are_found(database: Database, said: dict[str, str]) -> None:
    for words, expected in FOUND:
        assert {said[hit.turn_id or ""] for hit in search(database, words) if hit.turn_id} == expected, words


ODD = (
    '"bold', "bold\"' ", "(bold", "bold)", "bold:*", "bold*", "^bold", "+bold -b", "bold | &", "!bold", "\\bold", "{bold}",
    "\x02bold\x03", "bold\0", "bold \ud83d", "<b>bold", "bold;--", "script (bold", "bold " * 5000,
)  # fmt: skip


def test_quotes_and_operators_are_no_more_than_blanks(database: Database, said: dict[str, str]) -> None:
    for words in ODD:
        assert [said[hit.turn_id or ""] for hit in search(database, words)] == ["markup"], words
    for words in (
        "",
        " ",
        "* - !",
        "\0",
        "\ud800",
        '"',
        "'",
        "b" * 5000,
        "bold OR nothing",
        "bold AND NOT",
        "NEAR(bold)",
    ):
        assert search(database, words) == [], words


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(max_size=40))
def test_nothing_that_is_typed_breaks_it(database: Database, said: dict[str, str], words: str) -> None:
    for hit in search(database, words):
        assert hit.chat_id


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=80))
def test_a_text_finds_itself(database: Database, text: str) -> None:
    chats = Chats(database)
    turn = chats.add(chats.create(title="x").id, None, "user", text)
    if re.search(r"[^\W_]", text):
        assert turn.id in {hit.turn_id for hit in search(database, text, limit=1000)}


def test_a_snippet_marks_what_was_found_and_is_plain_text(database: Database, said: dict[str, str]) -> None:
    [hit] = search(database, "alert")
    assert hit.snippet == f"<script>{MARK}alert{END}('x')</script> & <b>bold</b>"
    assert (hit.title, hit.role) == ("A chat about everything", "user")
    [hit] = search(database, "mull")
    assert f"Café {MARK}Müller{END} hat" in hit.snippet
    [hit] = search(database, "和平")
    assert hit.snippet == f"世界{MARK}和平{END}是好事"
    [hit] = search(database, "resume ")
    assert hit.snippet == f"{MARK}résumé{END} of the year"


def test_a_snippet_of_a_long_text_is_short_and_one_line(database: Database) -> None:
    chats = Chats(database)
    chats.add(chats.create(title="x").id, None, "user", "before\x02\n" * 5000 + "the needle here " + "after\r\n" * 5000)
    [hit] = search(database, "needle")
    assert f"the {MARK}needle{END} here after" in hit.snippet
    assert hit.snippet.startswith("…before before") and hit.snippet.endswith("…")
    assert len(hit.snippet) < 300
    assert not set(hit.snippet.replace(MARK, "").replace(END, "")) & set(map(chr, range(32)))
    assert hit.snippet.count(MARK) == hit.snippet.count(END) == 1


def test_titles_come_first_and_then_the_newest(database: Database) -> None:
    chats = Chats(database)
    made = [chats.create(title=f"about parcels {n}" if n == 1 else "other") for n in range(3)]
    turns = [chats.add(chat.id, None, "user", "where is my parcel?") for chat in made]
    found = search(database, "parcel")
    assert [(hit.chat_id, hit.turn_id) for hit in found] == [
        (made[1].id, None),
        *((turn.chat_id, turn.id) for turn in reversed(turns)),
    ]
    assert search(database, "parcel", limit=2) == found[:2]
    chats.change(made[1].id, title="renamed")
    assert search(database, "parcels") == []
    assert [hit.snippet for hit in search(database, "renamed")] == [f"{MARK}renamed{END}"]


def test_only_chats_that_fit_the_filters_are_looked_through(database: Database) -> None:
    chats = Chats(database)
    ids = {}
    for title in ("parcel at work", "red parcel", "pinned parcel", "deleted parcel"):
        chat = chats.create(title=title, folder="Work" if "work" in title else "")
        chats.add(chat.id, None, "user", "where is my parcel?")
        ids[title] = chat.id
    chats.change(ids["red parcel"], tags=["red"])
    chats.change(ids["pinned parcel"], pinned=True, folder="Work")
    chats.delete(ids["deleted parcel"])
    for wanted, titles in (
        (Filter(), {"parcel at work", "red parcel", "pinned parcel"}),
        (Filter(folder="Work", pinned=False), {"parcel at work"}),
        (Filter(folder=""), {"red parcel"}), (Filter(folder="Work"), {"parcel at work", "pinned parcel"}),
        (Filter(tag="red"), {"red parcel"}), (Filter(tag="nul \0"), set()), (Filter(pinned=True), {"pinned parcel"}),
        (Filter(deleted=True), {"deleted parcel"}), (Filter(folder="Work", tag="red"), set()),
    ):  # fmt: skip
        hits = search(database, "parcel", among=wanted)
        for found in ([hit for hit in hits if hit.turn_id is None], [hit for hit in hits if hit.turn_id]):
            assert {hit.title for hit in found} == titles and len(found) == len(titles)


def test_a_text_of_more_words_than_the_index_holds_is_found_by_its_beginning(database: Database) -> None:
    chats = Chats(database)
    text = "beginning " + " ".join(f"w{number:x}ü" * 2 for number in range(120_000)) + " farend"
    turn = chats.add(chats.create(title="x").id, None, "user", text)
    assert [hit.turn_id for hit in search(database, "beginning")] == [turn.id]
    assert search(database, "farend") == []

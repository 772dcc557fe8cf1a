"""The chats' store: a tree of turns that loses nothing, with two tabs, kills and odd texts, on both databases."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from chapeta.chat import remains, rows
from chapeta.chat.search import search
from chapeta.chat.store import Chats
from chapeta.chat.types import Attachment, Spent, Turn
from chapeta.errors import BadInput, Missing
from chapeta.storage.database import Database, open_database
from chapeta.storage.tables import chats as chats_table
from chapeta.storage.tables import contents, metadata

PICTURE = Attachment("", "", "a.png", "image/png", 3, "image", None, "", b"PNG")
REPORT = Attachment("", "", "report.md", "text/markdown", 6, "whole", 2, "Größe\0")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url) as database:
        yield database


@pytest.fixture
def chats(database: Database) -> Chats:
    return Chats(database)


def talk(chats: Chats, turns: int = 4) -> tuple[str, list[Turn]]:
    """A chat of questions and answers."""
    chat = chats.create()
    path: list[Turn] = []
    for place in range(turns):
        parent = path[-1].id if path else None
        path.append(chats.add(chat.id, parent, "assistant" if place % 2 else "user", f"turn {place}"))
    return chat.id, path


def test_a_new_chat_is_empty_and_named_after_its_first_question(chats: Chats) -> None:
    chat = chats.create(model="openai/gpt", skill="triage", folder="Work")
    assert chats.get(chat.id) == chat
    assert (chat.title, chat.tip_id, chat.model, chat.skill, chat.folder) == ("", None, "openai/gpt", "triage", "Work")
    turn = chats.add(
        chat.id, None, "user", "\n  ---\n How do I reset\ta password that\u2028nobody knows?\nThe second line."
    )
    chats.add(chat.id, turn.id, "user", "Another question")
    assert chats.get(chat.id).title == "How do I reset a password that"
    named = chats.create(title="Mine")
    chats.add(named.id, None, "user", "Question")
    assert chats.get(named.id).title == "Mine"


def test_a_title_is_cut_between_words() -> None:
    assert rows.title_from("word " * 50) == "word " * 11 + "word…"
    assert rows.title_from("x" * 80) == "x" * 60 + "…"
    assert rows.title_from("?!\n") == ""


def test_the_tip_moves_with_each_turn_and_the_chat_comes_first(chats: Chats) -> None:
    first, path = talk(chats)
    second, _ = talk(chats)
    assert [chat.id for chat in chats.page()] == [second, first]
    turn = chats.add(first, path[-1].id, "user", "one more")
    assert [chat.id for chat in chats.page()] == [first, second]
    assert chats.get(first).tip_id == turn.id


def test_a_branch_is_read_from_its_end(chats: Chats) -> None:
    _, path = talk(chats, 7)
    assert chats.branch(path[-1].id) == path
    assert chats.branch(path[-1].id, limit=3) == path[-3:]
    sizes = [len(turn.text) for turn in path]
    assert chats.branch(path[-1].id, limit=4, characters=sum(sizes[-3:])) == path[-3:]
    assert chats.branch(path[-1].id, limit=4, characters=sum(sizes[-3:]) - 1) == path[-2:]
    assert chats.branch(path[-1].id, characters=0) == path[-2:] and chats.branch(path[-1].id, characters=10**6) == path
    assert chats.branch(path[-1].id, before=path[4].id, limit=3) == path[1:4]
    assert chats.branch(path[-1].id, before=path[0].id) == []
    assert chats.branch("nowhere") == []


def test_editing_and_asking_again_make_siblings(chats: Chats) -> None:
    chat_id, path = talk(chats)
    edited = chats.add(chat_id, path[1].id, "user", "turn 2, said otherwise")
    again = chats.add(chat_id, edited.id, "assistant", "another answer")
    other_root = chats.add(chat_id, None, "user", "turn 0, said otherwise")
    assert [turn.text for turn in chats.branch(again.id)] == [
        "turn 0",
        "turn 1",
        "turn 2, said otherwise",
        "another answer",
    ]
    found = chats.siblings([path[0].id, path[2].id, path[3].id, "nowhere"])
    assert found == {
        path[0].id: [path[0].id, other_root.id],
        path[2].id: [path[2].id, edited.id],
        path[3].id: [path[3].id],
    }
    assert chats.tip_below(path[0].id) == again.id
    assert chats.tip_below(path[2].id) == path[3].id
    assert chats.tip_below(again.id) == again.id
    assert chats.change(chat_id, tip_id=path[3].id).tip_id == path[3].id


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parents=st.lists(st.integers(0, 30), max_size=15))
def test_any_tree_is_read_as_it_was_written(chats: Chats, parents: list[int]) -> None:
    chat = chats.create(title="tree")
    made: list[Turn] = []
    for place, number in enumerate(parents):
        parent = made[number] if number < len(made) else None
        made.append(chats.add(chat.id, parent.id if parent else None, "user", f"turn {place}"))
    by_id = {turn.id: turn for turn in made}

    def up(turn: Turn | None) -> list[Turn]:
        return [*up(by_id.get(turn.parent_id or "")), turn] if turn else []

    siblings = chats.siblings([turn.id for turn in made])
    for turn in made:
        assert chats.branch(turn.id) == up(turn)
        assert siblings[turn.id] == [other.id for other in made if other.parent_id == turn.parent_id]
        assert chats.tip_below(turn.id) == [other.id for other in made if turn in up(other)][-1]


def test_an_answer_is_kept_while_it_streams(chats: Chats, database: Database) -> None:
    chat_id, path = talk(chats, 1)
    turn = chats.add(chat_id, path[0].id, "assistant", "", status="streaming", model="m", skill="s", skill_by="hand")
    chats.update(turn.id, text="half of the ans")
    assert chats.turn(turn.id).text == "half of the ans"
    assert search(database, "half") == []
    chats.update(
        turn.id, text="half of the answer", reasoning="hm", status="done", call_id="call", tokens_in=10, tokens_out=2,
        tokens_cached=0, usd=0.25, latency_ms=80.5, first_token_ms=9.0, error={"message": "cut \0 off", "n": 1},
    )  # fmt: skip
    found = chats.turn(turn.id)
    assert (found.text, found.reasoning, found.status, found.skill_by) == ("half of the answer", "hm", "done", "hand")
    assert (found.tokens_in, found.tokens_out, found.tokens_cached, found.usd) == (10, 2, 0, 0.25)
    assert (found.latency_ms, found.first_token_ms, found.call_id) == (80.5, 9.0, "call")
    assert found.error == {"message": "cut \ufffd off", "n": 1}
    assert [hit.turn_id for hit in search(database, "answer")] == [turn.id]


def test_a_text_that_comes_after_the_end_is_dropped(chats: Chats) -> None:
    chat_id, path = talk(chats, 1)
    turn = chats.add(chat_id, path[0].id, "assistant", "", status="streaming")
    chats.update(turn.id, text="all of it", status="stopped")
    chats.update(turn.id, text="all")
    assert chats.turn(turn.id).text == "all of it"
    chats.update(turn.id, text="all of it, corrected", status="done")
    assert chats.turn(turn.id).text == "all of it, corrected"


def test_figures_that_are_none_are_left_out(chats: Chats) -> None:
    _, path = talk(chats, 1)
    bad: list[dict[str, Any]] = [
        {"tokens_in": 2**70},
        {"usd": float("nan")},
        {"usd": -1.0},
        {"latency_ms": float("inf")},
    ]
    for figures in bad:
        chats.update(path[0].id, **figures)
    assert chats.turn(path[0].id) == path[0]


def test_what_still_streams_at_the_start_was_cut(chats: Chats, database: Database) -> None:
    chat_id, path = talk(chats, 1)
    turn = chats.add(chat_id, path[0].id, "assistant", "", status="streaming")
    chats.update(turn.id, text="as far as it came")
    assert chats.recover() == 1
    assert chats.recover() == 0
    assert chats.turn(turn.id).status == "cut"
    assert [hit.turn_id for hit in search(database, "far")] == [turn.id]


def test_any_text_is_held(chats: Chats, database: Database) -> None:
    changed = {"a\0b": "a\ufffdb", "half \ud83d": "half \ufffd", "\ud83d\ude00": "😀"}
    for text in (*changed, "", " ", "😀" * 1000, "\x02\x03\r\n", "' \" \\ % :x"):
        kept = changed.get(text, text)
        chat = chats.create(title=text, folder=text)
        file = Attachment("", "", text, text, 0, "whole", None, text)
        turn = chats.add(chat.id, None, "user", text, attachments=[file])
        chats.change(chat.id, tags=[text, "tag"])
        chats.save_request(turn.id, {"messages": [{"content": kept}, {"content": kept * 100}]})
        assert chats.turn(turn.id).text == kept
        assert chats.attachments([turn.id])[turn.id][0].text == kept
        assert chat.id in {found.id for found in chats.page(folder=chats.get(chat.id).folder, tag="tag")}
        assert chats.request(turn.id) == {"messages": [{"content": kept}, {"content": kept * 100}]}
        search(database, text)


def test_a_text_beyond_the_bound_is_refused(chats: Chats) -> None:
    chat = chats.create()
    with pytest.raises(BadInput, match="16,777,217 characters"):
        chats.add(chat.id, None, "user", "x" * (rows.MOST_TEXT + 1))
    big = Attachment("", "", "a.png", "image/png", 3, "image", None, "", bytes(rows.MOST_DATA_BYTES + 1))
    with pytest.raises(BadInput, match=r"a\.png has 34 MB"):
        chats.add(chat.id, None, "user", "look", attachments=[big])
    assert chats.get(chat.id).tip_id is None


def test_attachments_stay_with_a_question_that_is_said_anew(chats: Chats, database: Database) -> None:
    chat = chats.create()
    turn = chats.add(chat.id, None, "user", "look", attachments=[PICTURE, REPORT])
    found = chats.attachments([turn.id, "nowhere"])
    assert [(a.name, a.text, a.data, a.tokens) for a in found[turn.id]] == [
        ("a.png", "", None, None),
        ("report.md", "Größe\ufffd", None, 2),
    ]
    anew = chats.add(chat.id, None, "user", "look again", attachments=found[turn.id])
    copies = chats.attachments([anew.id])[anew.id]
    assert [copy.text for copy in copies] == ["", "Größe\ufffd"]
    assert {copy.id for copy in copies}.isdisjoint(one.id for one in found[turn.id])
    assert chats.data(copies[0].id) == b"PNG"
    with database.read() as connection:  # both are kept once
        assert connection.execute(select(func.count()).select_from(contents)).scalar() == 2
    with pytest.raises(Missing):
        chats.data(copies[1].id)


def test_a_request_is_kept_exactly_and_its_messages_once(chats: Chats, database: Database) -> None:
    _, path = talk(chats, 4)
    long = [{"role": "user", "content": f"{number} " * 200} for number in range(3)]
    first: dict[str, Any] = {
        "stream": True,
        "messages": [{"role": "system", "content": "x"}, *long[:2]],
        "model": "m",
        "n": 0.5,
    }
    second = {**first, "messages": [*first["messages"], long[2], long[0]]}
    chats.save_request(path[1].id, {"messages": "nonsense"})
    chats.save_request(path[1].id, first)
    chats.save_request(path[3].id, second)
    assert chats.request(path[1].id) == first
    assert chats.request(path[3].id) == second
    assert list(chats.request(path[1].id) or {}) == list(first)
    assert chats.request(path[0].id) is None
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(contents)).scalar() == 3
    with pytest.raises(Missing):
        chats.save_request("nowhere", {})


def test_the_newest_summary_of_a_path_counts(chats: Chats) -> None:
    chat_id, path = talk(chats, 6)
    ids = [turn.id for turn in path]
    assert chats.summary(ids) is None and chats.summary([]) is None
    chats.add_summary(chat_id, ids[3], "to the fourth", 5)
    newest = chats.add_summary(chat_id, ids[1], "to the second", None)
    assert chats.summary(ids) == newest
    assert (found := chats.summary(ids[2:])) and found.text == "to the fourth"
    assert chats.summary(ids[4:]) is None
    with pytest.raises(Missing):
        chats.add_summary(chat_id, "nowhere", "x", 1)


def test_pages_folders_and_tags(chats: Chats) -> None:
    made = [chats.create(title=f"chat {n}", folder="ab"[n % 2]) for n in range(7)]
    ids = [chat.id for chat in made][::-1]
    seen: list[str] = []
    before: tuple[float, str] | None = None
    while page := chats.page(before=before, limit=3):
        seen += [chat.id for chat in page]
        before = (page[-1].updated_at, page[-1].id)
    assert seen == ids
    chats.change(ids[0], tags=["x", " x ", "y  z", ""], pinned=True)
    chats.change(ids[1], tags=["x"])
    assert chats.get(ids[0]).tags == ("x", "y z")
    assert chats.tags() == [("x", 2), ("y z", 1)]
    assert chats.folders() == [("a", 4), ("b", 3)]
    assert [chat.id for chat in chats.page(tag="x")] == ids[:2]
    assert [chat.id for chat in chats.page(pinned=True)] == ids[:1]
    assert [chat.id for chat in chats.page(folder="b", pinned=False)] == [ids[1], ids[3], ids[5]]
    chats.delete(ids[1])
    assert chats.tags() == [("x", 1), ("y z", 1)]
    assert chats.folders() == [("a", 4), ("b", 2)]
    assert (
        chats.change(ids[0], tags=[], title=" new \n title ", model="m", skill="s", folder="", pinned=False).tags == ()
    )
    changed = chats.get(ids[0])
    assert (changed.title, changed.model, changed.skill, changed.folder, changed.pinned) == (
        "new title",
        "m",
        "s",
        "",
        False,
    )
    assert changed.updated_at == made[-1].updated_at
    with pytest.raises(BadInput, match="at most 50 tags"):
        chats.change(ids[0], tags=[str(n) for n in range(51)])


def test_what_was_spent(chats: Chats) -> None:
    chat_id, path = talk(chats, 6)
    assert chats.spent(chat_id) == Spent()
    chats.update(path[1].id, call_id="a", tokens_in=10, tokens_out=1, usd=0.5)
    chats.update(path[3].id, call_id="b", tokens_in=20, tokens_out=2, usd=0.25)
    chats.update(path[5].id, call_id="c", tokens_in=5)
    assert chats.spent(chat_id) == Spent(3, 35, 3, 0.75, 1)
    assert chats.spent_since(path[3].created_at) == Spent(2, 25, 2, 0.25, 1)
    assert chats.spent_since(time.time() + 60) == Spent()


def test_a_deleted_chat_is_out_of_sight_until_it_is_brought_back(chats: Chats, database: Database) -> None:
    chat_id, path = talk(chats)
    chats.delete(chat_id)
    assert chats.page() == [] and search(database, "turn") == []
    for act in (lambda: chats.get(chat_id), lambda: chats.delete(chat_id), lambda: chats.change(chat_id, pinned=True)):
        with pytest.raises(Missing, match="There is no chat"):
            act()
    with pytest.raises(Missing):
        chats.add(chat_id, path[-1].id, "user", "still there?")
    chats.update(path[-1].id, text="an answer that was on its way", status="done")
    chats.undelete(chat_id)
    assert chats.get(chat_id).tip_id == path[-1].id
    assert [hit.turn_id for hit in search(database, "way")] == [path[-1].id]
    with pytest.raises(Missing):
        chats.undelete("nowhere")


def test_what_was_deleted_a_month_ago_is_gone_wholly(chats: Chats, database: Database) -> None:
    kept, _ = talk(chats)
    recent, _ = talk(chats)
    old, path = talk(chats)
    question = chats.add(old, None, "user", "unheard", attachments=[PICTURE, REPORT])
    chats.save_request(question.id, {"messages": [{"content": "long " * 100}]})
    chats.add_summary(old, path[1].id, "sum", 1)
    chats.change(old, tags=["x"])
    chats.delete(recent)
    chats.delete(old)
    with database.write() as connection:
        month_ago = time.time() - 31 * remains.DAY_S
        connection.execute(chats_table.update().where(chats_table.c.id == old).values(deleted_at=month_ago))
    assert chats.purge() == 1
    chats.undelete(recent)
    with pytest.raises(Missing):
        chats.undelete(old)
    assert {chat.id for chat in chats.page()} == {kept, recent}
    counts = {"chats": 2, "chat_turns": 8}
    with database.read() as connection:
        for table in metadata.tables.values():
            count = connection.execute(select(func.count()).select_from(table)).scalar()
            assert count == counts.get(table.name, 0), table.name
        for index, count in (("turn_words", 8), ("chat_words", 2)):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {index}").scalar() == count


def test_turns_belong_to_their_chat(chats: Chats) -> None:
    _, path = talk(chats)
    second, _ = talk(chats)
    for act in (
        lambda: chats.add(second, path[0].id, "user", "x"),
        lambda: chats.change(second, tip_id=path[0].id),
        lambda: chats.add("nowhere", None, "user", "x"),
        lambda: chats.update("nowhere", text="x"),
        lambda: chats.update("\ud800", status="done"),
        lambda: chats.turn("nowhere\0"),
        lambda: chats.get("\ud800"),
        lambda: chats.tip_below("nowhere"),
        lambda: chats.branch(path[0].id, before="nowhere"),
    ):
        with pytest.raises(Missing):
            act()
    with pytest.raises(BadInput, match="no status"):
        chats.update(path[0].id, status="ready")  # type: ignore[arg-type]


def test_two_tabs_write_in_the_same_chat(chats: Chats) -> None:
    chat_id, path = talk(chats, 2)
    failed: list[BaseException] = []

    def write(tab: int) -> None:
        try:
            for number in range(5):
                turn = chats.add(chat_id, path[-1].id, "user", f"tab {tab}, {number}")
                answer = chats.add(chat_id, turn.id, "assistant", "", status="streaming")
                chats.update(answer.id, text="an")
                chats.update(answer.id, text="answer", status="done")
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    tabs = [threading.Thread(target=write, args=(tab,)) for tab in range(4)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert failed == []
    tip = chats.turn(chats.get(chat_id).tip_id or "")
    question = tip if tip.role == "user" else chats.turn(tip.parent_id or "")
    assert len(chats.siblings([question.id])[question.id]) == 20


def test_a_locked_database_says_so(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    with open_database(f"sqlite:///{file}", patience_s=0.1) as database, closing(sqlite3.connect(file)) as other:
        chats = Chats(database)
        chat = chats.create()
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BadInput, match="is locked by another program"):
            chats.add(chat.id, None, "user", "x")
        assert chats.get(chat.id).tip_id is None

"""What is done to several chats at once, in both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chapeta.chat import many
from chapeta.chat.store import Chats
from chapeta.errors import BadInput, Missing
from chapeta.storage.database import Database, open_database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url) as database:
        yield database


def test_chats_are_moved_and_pinned_together(database: Database) -> None:
    store = Chats(database)
    made = [store.create(title=f"c{n}").id for n in range(3)]
    assert many.move(database, [*made[:2], made[0], "nowhere"], "  Work \n trips ") == 2
    assert many.pin(database, made[1:], True) == 2
    assert [(store.get(one).folder, store.get(one).pinned) for one in made] == [
        ("Work trips", False), ("Work trips", True), ("", True)
    ]  # fmt: skip
    many.move(database, made, "")
    many.pin(database, made, False)
    assert not store.folders() and not store.page(pinned=True)


def test_tags_are_added_and_removed_and_others_stay(database: Database) -> None:
    store = Chats(database)
    made = [store.create().id for _ in range(3)]
    store.change(made[0], tags=["mine", "old"])
    store.change(made[1], tags=["new"])
    assert many.retag(database, made, ["new", " new ", "", "old and new"], ["old", "never there"]) == 3
    assert [store.get(one).tags for one in made] == [
        ("mine", "new", "old and new"), ("new", "old and new"), ("new", "old and new")
    ]  # fmt: skip
    many.retag(database, made, ["new"], ["new"])  # what is wanted is not taken away
    assert store.get(made[1]).tags == ("new", "old and new")


def test_too_many_tags_change_no_chat(database: Database) -> None:
    store = Chats(database)
    made = [store.create().id for _ in range(2)]
    store.change(made[1], tags=[f"t{n}" for n in range(50)])
    with pytest.raises(BadInput, match="at most 50 tags, not 51"):
        many.retag(database, made, ["one more"], [])
    assert [len(store.get(one).tags) for one in made] == [0, 50]


def test_deleted_chats_come_back_as_they_were(database: Database) -> None:
    store = Chats(database)
    made = [store.create(title=f"c{n}").id for n in range(3)]
    store.change(made[0], tags=["a"], pinned=True)
    before = store.get(made[0])
    assert many.delete(database, made[:2]) == 2
    assert many.delete(database, made) == 1  # those that are deleted keep the day of it
    with pytest.raises(Missing):
        store.get(made[0])
    assert many.undelete(database, [made[0], "nowhere"]) == 1
    assert store.get(made[0]) == before
    assert many.undelete(database, [made[0]]) == 0


def test_more_chats_than_a_statement_takes(database: Database) -> None:
    store = Chats(database)
    made = [store.create().id for _ in range(1101)]
    assert (
        many.retag(database, made, ["all"]) == many.move(database, made, "Old") == many.delete(database, made) == 1101
    )
    assert not store.page() and not store.folders() and not store.tags()

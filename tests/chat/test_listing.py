"""The list of chats as people look through it, in both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chapeta.chat import listing, many
from chapeta.chat.listing import Filter
from chapeta.chat.store import Chats
from chapeta.storage.database import Database, open_database
from chapeta.storage.tables import chats as table


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url) as database:
        yield database


def fill(database: Database, *, count: int, pinned: tuple[int, ...] = ()) -> dict[str, str]:
    """Chats c0, c1 … of which each is newer than the one before, some at the very same moment; ids by titles."""
    store = Chats(database)
    made = {f"c{n}": store.create(title=f"c{n}").id for n in range(count)}
    with database.write() as connection:
        for n, chat_id in enumerate(made.values()):
            new = {"updated_at": 1000.0 + n // 2, "pinned": n in pinned}
            connection.execute(table.update().where(table.c.id == chat_id), new)
    return made


def walk(database: Database, wanted: Filter, limit: int) -> list[str]:
    """The titles of all pages, one after the other."""
    titles: list[str] = []
    last = None
    while found := listing.listed(database, wanted, last, limit):
        assert len(found) <= limit
        titles += [chat.title for chat in found]
        last = found[-1]
    return titles


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_pinned_ones_come_first_and_none_is_missed_or_seen_twice(database: Database, limit: int) -> None:
    fill(database, count=9, pinned=(1, 2, 6))
    titles = walk(database, Filter(), limit)
    assert (titles[:3], sorted(titles)) == (["c6", "c2", "c1"], [f"c{n}" for n in range(9)])
    rest = [int(title[1:]) // 2 for title in titles[3:]]
    assert rest == sorted(rest, reverse=True)


def test_filters_by_folder_tag_and_pin(database: Database) -> None:
    made = fill(database, count=6, pinned=(0, 3))
    many.move(database, [made["c0"], made["c1"], made["c2"]], "Work")
    many.retag(database, [made["c1"], made["c3"]], ["red"])
    for wanted, titles in (
        (Filter(folder="Work"), {"c0", "c1", "c2"}), (Filter(folder=""), {"c3", "c4", "c5"}),
        (Filter(tag="red"), {"c1", "c3"}), (Filter(folder="Work", tag="red"), {"c1"}),
        (Filter(pinned=True), {"c0", "c3"}), (Filter(folder="Work", pinned=False), {"c1", "c2"}),
        (Filter(folder="None"), set()), (Filter(tag="nul \0"), set()),
    ):  # fmt: skip
        assert set(walk(database, wanted, 2)) == titles
        assert listing.count(database, wanted) == len(titles) == len(listing.ids(database, wanted))


def test_deleted_ones_have_a_list_of_their_own(database: Database) -> None:
    made = fill(database, count=4, pinned=(0,))
    many.delete(database, [made["c0"], made["c2"]])
    assert walk(database, Filter(), 1) == ["c3", "c1"]
    assert walk(database, Filter(deleted=True), 1) == ["c2", "c0"]
    assert listing.count(database, Filter(deleted=True)) == 2
    assert set(listing.found_by_id(database, [made["c0"], made["c1"], "nowhere"])) == {made["c0"], made["c1"]}


def test_what_is_seen_again_is_as_it_is_now(database: Database) -> None:
    made = fill(database, count=1)
    [before] = listing.listed(database, Filter())
    many.retag(database, [made["c0"]], ["b", "a"])
    assert listing.found_by_id(database, [made["c0"]])[made["c0"]] == replace(before, tags=("a", "b"))

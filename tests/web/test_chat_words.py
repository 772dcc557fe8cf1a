"""What the list of chats and a chat's head say."""

from __future__ import annotations

import pytest

from chapeta.chat.listing import Filter
from chapeta.chat.types import Chat, Spent
from chapeta.web.chat_list import details, told
from chapeta.web.talk.head import cost


def test_details_name_what_there_is() -> None:
    chat = Chat("1", "t", "Work", False, ("a", "b c"), 0.0, 0.0, "mine/small", "", None)
    assert details(chat) == "Work · #a #b c · mine/small"
    assert details(Chat("1", "t", "", False, (), 0.0, 0.0, "", "", None)) == ""


@pytest.mark.parametrize(
    ("wanted", "shown", "total", "said"),
    [
        (Filter(), 1, 1, "1 chat"), (Filter(), 50, 10_000, "10,000 chats; 50 of them shown"), (Filter(), 2, 2, "2 chats"),
        (Filter(deleted=True), 2, 2, "2 chats that can be brought back for 30 days"),
    ],
)  # fmt: skip
def test_how_many_there_are(wanted: Filter, shown: int, total: int, said: str) -> None:
    assert told(wanted, shown, total) == said


def test_nothing_is_said_in_place() -> None:
    assert told(Filter(), 0, 0).startswith("No chats yet.")
    assert told(Filter(deleted=True), 0, 0).startswith("No deleted chats.")
    assert told(Filter(folder="x"), 0, 0) == "No chats fit these filters."


def test_an_unknown_cost_is_never_shown_as_nothing() -> None:
    assert cost(Spent(2, 10, 10, 0.0, 0)) == "free"
    assert cost(Spent(2, 10, 10, 0.0, 2)) == "cost unknown"
    assert cost(Spent(2, 10, 10, 0.5, 1)) == "$0.500 + 1 unknown"
    assert cost(Spent(2, 10, 10, 0.5, 0)) == "$0.500"

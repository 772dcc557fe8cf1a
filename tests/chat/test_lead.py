"""The way to a turn that a search has found."""

from __future__ import annotations

from chapeta.chat.lead import lead_to
from chapeta.chat.store import Chats
from chapeta.storage.database import open_database


def test_the_branch_of_the_turn_is_shown_as_far_back_as_the_turn(database_url: str) -> None:
    with open_database(database_url) as database:
        chats = Chats(database)
        chat = chats.create()
        question = chats.add(chat.id, None, "user", "Where?")
        first = chats.add(chat.id, question.id, "assistant", "Here.")
        after = chats.add(chat.id, first.id, "user", "And then?")
        second = chats.add(chat.id, question.id, "assistant", "There.")
        chat = chats.get(chat.id)
        assert chat.tip_id == second.id
        assert lead_to(chats, chat, question.id) == (chat, 2)  # on the branch that is shown
        led = lead_to(chats, chat, first.id)
        assert led is not None
        assert (led[0].tip_id, led[1]) == (after.id, 2)
        assert chats.get(chat.id).tip_id == after.id
        assert lead_to(chats, chats.create(), first.id) is None
        assert lead_to(chats, chat, "nothing") is None

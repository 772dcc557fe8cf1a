"""What the palette offers for the words that were typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from chapeta.chat.store import Chats
from chapeta.storage.database import Database, open_database
from chapeta.web.pages import PAGES
from chapeta.web.palette import ACTS, CHATS, LATEST, NEW_CHAT, RECENT, Item, find

SKILL = "---\nname: {name}\ndescription: Does it.\n---\n\nDo it.\n"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("CHAPETA_HOME", str(tmp_path))
    return open_database(f"sqlite:///{tmp_path / 'a.sqlite'}")


def test_without_words_it_is_short_and_begins_with_the_chats(database: Database) -> None:
    for number in range(RECENT + 3):
        Chats(database).create(title=f"Chat {number}")
    found = find(database, "  ", ["look"])
    assert found[0] == NEW_CHAT
    assert [item.title for item in found[1 : RECENT + 1]] == [f"Chat {RECENT + 2 - n}" for n in range(RECENT)]
    assert {item.kind for item in found} == {"Page", "Chat", "Action"}
    assert [item.act for item in found if item.act] == ["look"]


def test_pages_and_actions_are_found_by_pieces_of_words(database: Database) -> None:
    assert find(database, "USA", [])[0] == Item("Page", "Usage", "/usage")
    assert find(database, "age us", [])[0] == Item("Page", "Usage", "/usage")
    assert find(database, "dark", list(ACTS))[0] == Item("Action", ACTS["look"], act="look")
    assert not [item for item in find(database, "dark", []) if item.act]
    paths = {page.path for page in PAGES}
    assert all(item.path in paths for item in find(database, "page", []) if item.kind == "Page")


def test_chats_are_found_by_their_titles_old_ones_too(database: Database) -> None:
    chats = Chats(database)
    oldest = chats.create(title="Walrus prices")
    for number in range(LATEST):
        chats.create(title=f"Chat {number}")
    newest = chats.create(title="The walrusses' <b>song</b>")
    chats.delete(chats.create(title="walrus deleted").id)
    found = [item for item in find(database, "walrus", []) if item.kind == "Chat"]
    assert found == [
        Item("Chat", "The walrusses' <b>song</b>", f"/chat/{newest.id}"),
        Item("Chat", "Walrus prices", f"/chat/{oldest.id}"),
    ]
    assert len([item for item in find(database, "chat", []) if item.kind == "Chat"]) == CHATS


def test_models_and_skills_lead_to_a_new_chat_with_them(database: Database, tmp_path: Path) -> None:
    for name in ("pirate", "poet"):
        (tmp_path / "skills" / name).mkdir(parents=True)
        (tmp_path / "skills" / name / "SKILL.md").write_text(SKILL.format(name=name))
    assert Item("Skill", "Use Skill /pirate", "/?skill=pirate") in find(database, "skill pir", [])
    assert Item("Model", "Use model smollm2-135m", "/?model=smollm2-135m") in find(database, "use model smollm2-1", [])
    typed = find(database, "openrouter/nobody/none:free", [])
    assert typed == [
        Item("Model", "Use model openrouter/nobody/none:free", "/?model=openrouter%2Fnobody%2Fnone%3Afree")
    ]
    assert find(database, "zzzzqqq", []) == []

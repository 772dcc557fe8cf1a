"""What files and backups of any origin may cost, and what good ones may not lose."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from chapeta.chat.imports import import_chats, ours
from chapeta.chat.imports.pieces import MOST_BYTES
from chapeta.chat.imports.tree import Tree
from chapeta.chat.live import Live
from chapeta.chat.pictures import image_size
from chapeta.chat.store import Chats
from chapeta.chat.types import Attachment, Chat, Turn
from chapeta.errors import BadInput
from chapeta.gateway.core import Core
from chapeta.gateway.ledger import Ledger
from chapeta.storage.database import Database, open_database
from chapeta.storage.merge import content_id, merge
from chapeta.storage.tables import contents
from serving import point
from standin.server import Standin

BEFORE_THE_FRAME = b"\xff\xe1" + struct.pack(">H", 60_002) + bytes(60_000)  # as phones keep a portrait's depth
FRAME = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 600, 800, 3) + bytes(9)


@pytest.mark.parametrize("segments", [0, 3, 40])
def test_a_picture_has_its_size_however_much_stands_before_it(segments: int) -> None:
    assert image_size(b"\xff\xd8" + BEFORE_THE_FRAME * segments + FRAME) == (800, 600)


def test_records_of_our_export_are_never_too_large_to_be_read_again() -> None:
    """A question with six pictures of 20 MB, each the most that the composer takes; in JSON they grow by a third."""
    chat = Chat("c", "Pictures", "", False, (), 1.0, 1.0, "", "", "t")
    pictures = [
        Attachment(f"a{n}", "t", f"{n}.png", "image/png", 20_000_000, "image", None, "", None) for n in range(6)
    ]
    tree = Tree(chat, (Turn("t", "c", None, "user", "Look.", "done", 1.0),), tuple(pictures))
    records = list(ours.records(tree))
    kept = [attachment for record in records for attachment in record["attachments"]]
    assert sorted(kept, key=lambda one: one.id) == pictures
    for record in records:
        assert sum(attachment.size * 4 // 3 for attachment in record["attachments"]) < MOST_BYTES


def test_an_export_that_is_cut_inside_its_first_chat_says_so(tmp_path: Path, empty_home: Path) -> None:
    file = tmp_path / "conversations.json"
    file.write_text('[{"conversation_id": "c", "mapping": {"a": {"parent": null, "message": {"author": {"role": "us')
    with open_database() as database, pytest.raises(BadInput, match="breaks off after byte"):
        import_chats(file, database)


def test_adding_contents_does_not_look_through_all_that_are_there(empty_home: Path) -> None:
    with open_database() as database:
        chat = Chats(database).create()
        asked = _selects(database)
        data = [b"one", b"two", b"three"]
        rows = [{"chat_id": chat.id, "id": content_id(each), "data": each} for each in data]
        with database.write() as connection:
            assert merge(connection, contents, rows).added == 3
        looked = [(statement, given) for statement, given in asked if "FROM chat_contents" in statement]
        with database.read() as connection:
            plans = [_plan(connection, *each) for each in looked]
    assert not [step for plan in plans for step in plan if step.startswith("SCAN chat_contents")]


def test_an_answer_whose_turn_is_gone_ends_all_the_same(empty_home: Path) -> None:
    """As when the database was put back from a copy meanwhile: there is no place any more where it could be kept."""
    core = Core(Ledger())

    async def answered(chats: Chats) -> None:
        running = Live(core, chats).begin("0" * 32, "1" * 32, ASKED)
        await asyncio.wait_for(running.done.wait(), 30)
        await core.close()

    with Standin(None, "openai") as provider, open_database() as database:
        point(empty_home, "mine", provider.url, needs_key=False)
        provider.say("Good morning.")
        asyncio.run(answered(Chats(database)))


ASKED = {"model": "mine/openai/gpt-4.1-mini", "messages": [{"role": "user", "content": "Hello?"}]}


def _selects(database: Database) -> list[tuple[str, tuple[object, ...]]]:
    """What is asked of the database from now on."""
    found: list[tuple[str, tuple[object, ...]]] = []

    def asked(_: object, __: object, statement: str, given: tuple[object, ...], ___: object, many: bool) -> None:
        if statement.startswith("SELECT") and not many:
            found.append((statement, given))

    event.listen(database.engine, "before_cursor_execute", asked)
    return found


def _plan(connection: Connection, statement: str, given: tuple[object, ...]) -> list[str]:
    """How SQLite goes about it, step by step (sqlite.org/eqp.html)."""
    return [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]

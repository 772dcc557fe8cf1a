"""What becomes of an answer when the database will not take it: real database, real HTTP to a provider that stands in."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from chapeta.chat import live as module
from chapeta.chat.live import Live
from chapeta.chat.store import Chats
from chapeta.gateway.core import Core
from chapeta.gateway.ledger import Ledger
from chapeta.storage.database import open_database
from serving import point
from standin.server import Standin

ASKED = {"model": "mine/openai/gpt-4.1-mini", "messages": [{"role": "user", "content": "Hello?"}]}


@pytest.mark.parametrize("ends_meanwhile", [False, True])
def test_an_answer_that_cannot_be_kept_at_once_is_kept_as_soon_as_it_can(
    ends_meanwhile: bool, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRY_AGAIN_S", 0.05)
    database = open_database(f"sqlite:///{empty_home / 'chats.sqlite'}", patience_s=0.1)
    chats, core = Chats(database), Core(Ledger())
    chat = chats.create()
    question = chats.add(chat.id, None, "user", "Hello?")
    turn = chats.add(chat.id, question.id, "assistant", "", status="streaming")
    lock = sqlite3.connect(empty_home / "chats.sqlite", isolation_level=None)

    async def answered() -> None:
        live = Live(core, chats)
        lock.execute("BEGIN IMMEDIATE")
        running = live.begin(turn.id, chat.id, ASKED)
        while not running.ended:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # some tries, all refused
        assert live.of(turn.id) is running
        assert not running.done.is_set()
        if ends_meanwhile:
            await live.close()  # which does not wait for the lock
        else:
            lock.execute("ROLLBACK")
            await running.done.wait()
        assert live.of(turn.id) is None
        await core.close()

    with Standin(None, "openai") as provider, database:
        point(empty_home, "mine", provider.url, needs_key=False)
        provider.say("Good morning.")
        asyncio.run(answered())
        lock.close()
        kept = chats.turn(turn.id)
        assert (kept.status, kept.text) == (("streaming", "") if ends_meanwhile else ("done", "Good morning."))

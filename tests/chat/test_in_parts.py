"""Documents of a chat that were sent whole are sent in parts from now on."""

from __future__ import annotations

from pathlib import Path

from chapeta.chat.in_parts import send_in_parts
from chapeta.chat.store import Chats
from chapeta.chat.types import Attachment
from chapeta.storage.database import open_database


def test_documents_are_changed_and_pictures_and_strangers_are_not(tmp_path: Path) -> None:
    with open_database(f"sqlite:///{tmp_path / 'a.sqlite'}") as database:
        chats = Chats(database)
        files = [
            Attachment("", "", "a.md", "text/markdown", 4, "whole", 1, "text"),
            Attachment("", "", "b.png", "image/png", 3, "image", 9, "", b"png"),
        ]
        question = chats.add(chats.create().id, None, "user", "Read it", attachments=files)
        document, picture = chats.attachments([question.id])[question.id]
        assert send_in_parts(database, [document.id, picture.id, "new-1", "\x00"]) == 1
        assert [one.mode for one in chats.attachments([question.id])[question.id]] == ["relevant", "image"]
        assert send_in_parts(database, [document.id]) == 0
        assert send_in_parts(database, []) == 0

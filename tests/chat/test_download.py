"""Chats of the database as one file of a fitting name."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from chapeta.chat.download import export_to
from chapeta.chat.export import Format
from chapeta.chat.imports import import_chats
from chapeta.chat.store import Chats
from chapeta.errors import Missing
from chapeta.storage.database import Database, open_database


def fill(database: Database) -> list[str]:
    chats = Chats(database)
    ids = []
    for title in ("Größe & <b>Maß</b>", "Second", "No answer"):
        chat = chats.create(title=title)
        asked = chats.add(chat.id, None, "user", f"About {title}?")
        if title != "No answer":
            chats.add(chat.id, asked.id, "assistant", f"This is {title}.")
        ids.append(chat.id)
    return ids


@pytest.mark.parametrize("form", ["md", "json", "jsonl"])
def test_one_chat_is_named_after_its_title(empty_home: Path, tmp_path: Path, form: Format) -> None:
    with open_database() as database:
        ids = fill(database)
        done = export_to(database, tmp_path, form, ids[:1])
    assert done.path.name == f"größe-b-maß-b-{ids[0][:8]}.{form}" and done.chats == 1
    assert "This is Gr" in done.path.read_text(encoding="utf-8")


def test_several_and_all(empty_home: Path, tmp_path: Path) -> None:
    with open_database() as database:
        ids = fill(database)
        done = export_to(database, tmp_path, "md", ids[1:])
        assert (done.path.name, done.chats) == ("chats.zip", 2)
        with zipfile.ZipFile(done.path) as archive:
            assert [name.rpartition("-")[0] for name in archive.namelist()] == ["second", "no-answer"]
        done = export_to(database, tmp_path, "jsonl")
        assert (done.path.name, done.chats, done.left_out) == ("chats.jsonl", 3, 1)
        assert [json.loads(line)["messages"][-1]["content"] for line in done.path.read_text().splitlines()] == [
            "This is Second.", "This is Größe & <b>Maß</b>.",
        ]  # fmt: skip
        whole = export_to(database, tmp_path, "json").path
    with open_database(f"sqlite:///{tmp_path / 'other.sqlite'}") as other:
        assert import_chats(whole, other).chats == 3


def test_a_chat_that_is_gone_is_said(empty_home: Path, tmp_path: Path) -> None:
    with open_database() as database:
        ids = fill(database)
        Chats(database).delete(ids[1])
        for asked in (ids[1:2], ids):
            with pytest.raises(Missing, match="There is no chat"):
                export_to(database, tmp_path, "json", asked)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".json", ".jsonl")]

"""Files of an export as a browser hands them over: any name, one or several, and an end when the user has had enough."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from sample_exports import rome, write_json

from chapeta.chat.imports import write
from chapeta.chat.imports.uploaded import MOST_NAME, Seen, Stopped, file_name, import_uploaded
from chapeta.chat.store import Chats
from chapeta.errors import BadInput
from chapeta.storage.database import open_database


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("export (1).zip", "export (1).zip"), ("../../evil", "__.._evil"), ("..", "_"), ("", "file"), (".hidden", "_hidden"),
        ("a/b\\c:d", "a_b_c_d"), ("nul\0.json", "nul_.json"), ("Gespräche.json", "Gespräche.json"), ("a. ", "a_"),
    ],
)  # fmt: skip
def test_a_name_leads_nowhere_else(given: str, name: str) -> None:
    assert file_name(given, ()) == name


def test_two_files_of_a_name_stand_side_by_side_and_long_names_keep_their_ending() -> None:
    assert file_name("a.json", {"a.json"}) == "2-a.json"
    assert file_name("a.json", {"a.json", "2-a.json"}) == "3-a.json"
    long = file_name("x" * 5000 + ".json", ())
    assert len(long) == MOST_NAME and long.endswith(".json")


def test_one_file_is_an_export_and_several_are_one(empty_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "up"
    folder.mkdir()
    write_json(folder / "conversations-000.json", [rome()])
    with open_database() as database:
        assert import_uploaded(folder, database, put_into="From ChatGPT").chats == 1
        write_json(folder / "conversations-001.json", [rome("Second")])
        report = import_uploaded(folder, database)
        assert (report.chats, report.already_there) == (1, 1)
        assert {chat.title: chat.folder for chat in Chats(database).page()} == {
            "Trip to Rome": "From ChatGPT", "Second": "",
        }  # fmt: skip


def test_what_is_refused_does_not_name_our_folder(empty_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "up"
    folder.mkdir()
    with open_database() as database:
        for number in range(2):
            (folder / f"notes{number}.txt").write_text("Dear diary")
            with pytest.raises(BadInput, match="holds no chats") as caught:
                import_uploaded(folder, database)
            assert str(tmp_path) not in str(caught.value)
        for file in folder.iterdir():
            file.unlink()
        (folder / "a.zip").write_bytes(b"PK\x03\x04" + bytes(60))
        with pytest.raises(BadInput, match=r"^a\.zip is a ZIP file that is cut off.*Download the export again"):
            import_uploaded(folder, database)


def test_an_import_that_is_stopped_keeps_what_has_come(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "BATCH_CHATS", 2)
    (tmp_path / "all.json").write_text(json.dumps([rome(f"Trip {n}") for n in range(5)]))

    class Enough(Seen):
        def advance(self, done: float, total: float, note: str = "") -> None:
            self.stop = note == "3 chats"
            super().advance(done, total, note)

    seen = Enough()
    with open_database() as database:
        with pytest.raises(Stopped):
            import_uploaded(tmp_path, database, listener=seen)
        assert 0 < seen.share < 1
        assert len(Chats(database).page()) == 2
        again = Seen()
        report = import_uploaded(tmp_path, database, listener=again)
        assert (report.chats, report.already_there, again.share) == (3, 2, 1.0)


class After(Seen):
    """Has enough after being told so many times how far it is."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.told, self._times = 0, times

    def advance(self, done: float, total: float, note: str = "") -> None:
        self.told += 1
        self.stop = self.told >= self._times
        super().advance(done, total, note)


@pytest.mark.parametrize(
    "content", [b"[" + b"1234567, " * 400_000 + b"1]", b'[{"a": "' + b"x" * (4 << 20) + b'"}]'], ids=["numbers", "text"]
)
def test_a_large_file_in_which_no_chat_is_found_can_be_stopped(
    empty_home: Path, tmp_path: Path, content: bytes
) -> None:
    folder = tmp_path / "up"
    folder.mkdir()
    (folder / "conversations.json").write_bytes(content)
    seen = After(2)
    with open_database() as database, pytest.raises(Stopped):
        import_uploaded(folder, database, listener=seen)
    assert 0 < seen.share < 1


def test_a_cut_zip_can_be_stopped_while_it_is_looked_through(empty_home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "up"
    folder.mkdir()
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conversations.json", os.urandom(1 << 20))
    whole = (folder / "a.zip").read_bytes()
    (folder / "a.zip").write_bytes(whole[:-50])
    seen = After(3)
    with open_database() as database, pytest.raises(Stopped):
        import_uploaded(folder, database, listener=seen)
    assert (seen.told, seen.note) == (3, "looking through a ZIP that is cut off")


def test_a_long_chat_can_be_stopped_while_it_is_written(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "PORTION_CHARACTERS", 100)
    folder = tmp_path / "up"
    folder.mkdir()
    write_json(folder / "conversations.json", [rome()])

    class Enough(Seen):
        def advance(self, done: float, total: float, note: str = "") -> None:
            self.stop = self.share == 1.0  # all is read
            super().advance(done, total, note)

    with open_database() as database:
        with pytest.raises(Stopped):
            import_uploaded(folder, database, listener=Enough())
        assert Chats(database).page() == []  # never half a chat
        assert import_uploaded(folder, database, listener=Seen()).chats == 1

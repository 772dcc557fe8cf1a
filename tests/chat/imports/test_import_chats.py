"""Importing into a real database, SQLite and PostgreSQL: everything once, and nothing twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_exports import T0, as_in_2026, parcel, png, read_all, rome, said, write_json, write_zip

from chapeta.chat.export import export
from chapeta.chat.imports import import_chats
from chapeta.chat.imports.tree import Report, Tree
from chapeta.chat.search import search
from chapeta.chat.store import Chats
from chapeta.chat.trees import stored_data, stored_trees
from chapeta.chat.types import Attachment
from chapeta.errors import BadInput, Missing
from chapeta.progress import Progress
from chapeta.storage.database import Database, open_database
from chapeta.types import Json


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url) as opened:
        yield opened


def whole(tree: Tree, database: Database) -> tuple[object, ...]:
    """A stored chat with its pictures, in an order that does not depend on how it was written."""
    data = {file.id: stored_data(database, file.id) for file in tree.attachments if file.mode == "image"}
    return tree.chat, frozenset(map(str, tree.turns)), frozenset(map(str, tree.attachments)), data, tree.summaries


def test_what_an_export_holds_is_there_to_read_and_to_find(database: Database, tmp_path: Path) -> None:
    report = import_chats(
        write_zip(tmp_path / "e.zip", {"a.json": [rome()], "b.json": [parcel()]}), database, folder="Old"
    )
    assert (report.chats, report.turns, report.grown, report.already_there) == (2, 11, 0, 0)
    store = Chats(database)
    latest, older = store.page()
    assert (latest.title, older.title, older.folder) == ("Parcel", "Trip to Rome", "Old")
    assert (older.created_at, older.updated_at, older.model) == (T0, T0 + 99, "")
    shown = store.branch(older.tip_id or "")
    assert [turn.text for turn in shown] == [
        "What to see in Rome?", "The Pantheon.", "When is it open?", "From 9 to 19.",
    ]  # fmt: skip
    assert [turn.created_at for turn in shown] == [T0 + 1, T0 + 3, T0 + 5, T0 + 6]
    assert [turn.model for turn in shown] == ["", "o3", "", "gpt-5"]
    versions = store.siblings([shown[1].id])[shown[1].id]
    assert [store.turn(key).text for key in versions] == ["The Forum.", "The Pantheon."]
    assert {hit.title for hit in search(database, "pantheon")} == {"Trip to Rome"}
    assert [hit.turn_id for hit in search(database, "trip rome")] == [None]
    more = store.add(older.id, older.tip_id, "user", "And tomorrow?")
    assert [turn.text for turn in store.branch(more.id)][-2:] == ["From 9 to 19.", "And tomorrow?"]


def test_importing_again_adds_nothing(database: Database, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "e.zip", {"a.json": [rome(str(n)) for n in range(120)], "b.json": [parcel()]})
    first = import_chats(path, database)
    before = {tree.chat.id: tree for tree in stored_trees(database)}
    again = import_chats(path, database)
    assert (first.chats, first.turns) == (121, 725)
    assert again == Report(already_there=121)
    assert {tree.chat.id: tree for tree in stored_trees(database)} == before


def test_the_same_chat_twice_in_an_export_is_one(database: Database, tmp_path: Path) -> None:
    files: dict[str, object] = {"conversations.json": [rome()], "conversations-000.json": [as_in_2026(rome())]}
    report = import_chats(write_zip(tmp_path / "e.zip", files), database)
    assert (report.chats, report.turns, report.already_there) == (1, 6, 0)


def test_a_chat_that_went_on_grows_and_shows_it(database: Database, tmp_path: Path) -> None:
    import_chats(write_json(tmp_path / "a.json", [rome()]), database)
    later = rome()
    later["mapping"]["q3"] = {"id": "q3", "parent": "a2", "message": said("user", "And on Sundays?", at=500)}
    later |= {"current_node": "q3", "update_time": T0 + 500}
    report = import_chats(write_json(tmp_path / "b.json", [later]), database)
    assert (report.chats, report.turns, report.grown, report.already_there) == (0, 1, 1, 0)
    (chat,) = Chats(database).page()
    assert Chats(database).turn(chat.tip_id or "").text == "And on Sundays?"
    assert chat.updated_at == T0 + 500


def test_what_was_done_here_is_kept(database: Database, tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", [rome()])
    import_chats(path, database)
    store = Chats(database)
    (chat,) = store.page()
    mine = store.add(chat.id, chat.tip_id, "user", "My own")
    store.change(chat.id, title="Mine", folder="Here", tags=["x"])
    later = rome()
    later["mapping"]["q3"] = {"id": "q3", "parent": "a2", "message": said("user", "Theirs", at=500)}
    import_chats(write_json(tmp_path / "b.json", [later | {"current_node": "q3"}]), database)
    after = store.get(chat.id)
    assert (after.title, after.folder, after.tags, after.tip_id) == ("Mine", "Here", ("x",), mine.id)
    assert [store.turn(key).text for key in store.siblings([mine.id])[mine.id]] == ["My own", "Theirs"]


def test_a_chat_that_was_deleted_stays_so_and_is_named(database: Database, tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", [rome()])
    import_chats(path, database)
    store = Chats(database)
    (chat,) = store.page()
    store.delete(chat.id)
    report = import_chats(path, database)
    assert (report.chats, report.turns, store.page()) == (0, 0, [])
    assert report.reasons == {"deleted here: it can be brought back from the deleted chats": 1}


def test_pictures_and_documents(database: Database, tmp_path: Path) -> None:
    about = [
        {"id": "file-Pic", "name": "lamp.png", "mime_type": "image/png"},
        {"id": "file-Doc", "name": "n.txt", "mime_type": "text/plain"},
    ]
    chat = rome()
    chat["mapping"]["q1"]["message"]["metadata"] = {"attachments": about}
    files: dict[str, object] = {"c.json": [chat], "file-Pic.dat": png(), "file-Doc-n.txt": "some text"}
    report = import_chats(write_zip(tmp_path / "e.zip", files), database)
    assert report.attachments == 2
    ((picture, document),) = [tree.attachments for tree in stored_trees(database)]
    assert (picture.name, picture.mode, stored_data(database, picture.id)) == ("lamp.png", "image", png())
    assert (document.name, document.mode, document.text, document.size) == ("n.txt", "whole", "some text", 9)


def test_an_export_of_ours_comes_back_as_it_was(database: Database, database_url: str, tmp_path: Path) -> None:
    store = Chats(database)
    chat = store.create(folder="F", model="local")
    picture = Attachment("", "", "p.png", "image/png", len(png()), "image", 5, "", png())
    document = Attachment("", "", "d.md", "text/markdown", 3, "relevant", 2, "# D")
    asked = store.add(chat.id, None, "user", "Hello \U0001f600 \x00", attachments=[picture, document])
    answer = store.add(
        chat.id, asked.id, "assistant", "Hi", status="streaming", model="local", skill="s", skill_by="hand"
    )
    store.update(answer.id, text="Hi you", reasoning="r", status="done", usd=0.25, tokens_in=3, latency_ms=1.5,
                 call_id="call", error={"message": "m", "status": 3})  # fmt: skip
    store.add(chat.id, asked.id, "assistant", "Other", model="other")
    store.add_summary(chat.id, asked.id, "said hello", 4)
    store.change(chat.id, pinned=True, tags=["b", "a"], tip_id=answer.id)
    import_chats(write_json(tmp_path / "a.json", [rome(), parcel()]), database)
    before = {tree.chat.id: whole(tree, database) for tree in stored_trees(database)}
    path = tmp_path / "chats.json"
    export(stored_trees(database), "json", path, lambda key: stored_data(database, key))

    again = import_chats(path, database)
    assert again == Report(already_there=3)
    with open_database(f"sqlite:///{tmp_path / 'other.sqlite'}") as other:
        report = import_chats(path, other)
        assert (report.chats, report.turns, report.attachments, report.reasons) == (3, 14, 2, {})
        assert {tree.chat.id: whole(tree, other) for tree in stored_trees(other)} == before


def test_a_large_chat_of_ours_that_is_cut_shows_what_is_there(database: Database, tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path / 'source.sqlite'}"
    with open_database(source) as other:
        store = Chats(other)
        chat = store.create(title="Long")
        above = None
        for n in range(6):
            above = store.add(chat.id, above, "assistant", f"{n} x", status="streaming").id
            store.update(above, reasoning="x" * 3_000_000, status="done")  # long, and not indexed for the search
        export(stored_trees(other), "json", tmp_path / "c.json", lambda _: None)
    data = (tmp_path / "c.json").read_bytes()
    (tmp_path / "cut.json").write_bytes(data[: len(data) * 3 // 4])
    report = import_chats(tmp_path / "cut.json", database)
    (chat,) = Chats(database).page()
    assert report.chats == 1 and 0 < report.turns < 6
    assert Chats(database).turn(chat.tip_id or "").text.startswith(f"{report.turns - 1} ")
    report = import_chats(tmp_path / "c.json", database)
    assert (report.chats, report.grown, report.already_there) == (0, 1, 0)
    assert sum(len(tree.turns) for tree in stored_trees(database)) == 6


def test_a_chat_cannot_reach_into_another(database: Database, tmp_path: Path) -> None:
    """A file in our form may name ids that are here; what is here stays as it is."""
    store = Chats(database)
    chat = store.create(title="Mine")
    mine = store.add(chat.id, None, "user", "Secret")
    turn: Json = {"id": "evil", "chat_id": "other", "parent_id": mine.id, "role": "user", "text": "x", "status": "done"}
    taken = turn | {"id": mine.id, "parent_id": None, "text": "replaced"}
    record: Json = {
        "format": "chapeta-chat", "version": 1, "turns": [taken | {"created_at": 1.0}, turn | {"created_at": 1.0}],
        "chat": {"id": "other", "title": "O", "folder": "", "pinned": False, "tags": [], "created_at": 1.0,
                 "updated_at": 1.0, "model": "", "skill": "", "tip_id": mine.id},
    }  # fmt: skip
    report = import_chats(write_json(tmp_path / "evil.json", [record]), database)
    assert store.turn(mine.id).text == "Secret"
    assert store.get("other").tip_id is None
    assert (report.turns, report.reasons) == (0, {"a row of the export: belongs to nothing that is here": 1})


def test_nothing_is_written_of_what_is_no_export(database: Database, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no chats: a\.json"):
        import_chats(write_json(tmp_path / "a.json", [{"x": 1}]), database)
    assert Chats(database).page() == []


def test_an_untitled_chat_is_named_after_its_first_question(database: Database, tmp_path: Path) -> None:
    import_chats(write_json(tmp_path / "a.json", [rome() | {"title": None}]), database)
    assert Chats(database).page()[0].title == "What to see in Rome?"


def test_progress_rises_to_the_end(database: Database, tmp_path: Path) -> None:
    heard: list[tuple[float, float]] = []

    class Heard(Progress):
        def advance(self, done: float, total: float, note: str = "") -> None:
            assert note.endswith(" chats")
            heard.append((done, total))

    path = write_zip(tmp_path / "e.zip", {f"{n}.json": [rome(f"{n} {k}") for k in range(9)] for n in range(3)})
    import_chats(path, database, listener=Heard())
    assert heard == sorted(heard)
    assert heard[-1][0] == heard[-1][1] > 0


def test_memory_does_not_grow_with_the_export(empty_home: Path, tmp_path: Path) -> None:
    peaks = []
    for number, chats in enumerate((100, 300)):
        path = tmp_path / f"{chats}.json"
        with path.open("w") as file:
            for n in range(chats):
                file.write("[" if n == 0 else ",")
                chat = rome(f"{number} {n}")
                thought = {"content_type": "thoughts", "thoughts": f"{n} " + "x" * 60_000}
                chat["mapping"]["a2"]["message"]["content"] = thought
                file.write(json.dumps(chat))
            file.write("]")
        with open_database() as database:
            tracemalloc.start()
            assert import_chats(path, database).chats == chats
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.3


def test_an_import_that_is_killed_goes_on_where_it_was(empty_home: Path, tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", [rome(str(n)) for n in range(300)])
    code = f"""
from pathlib import Path
from chapeta.chat.imports import import_chats
from chapeta.storage.database import open_database
with open_database() as database:
    import_chats(Path({str(path)!r}), database)
"""
    child = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    with open_database() as database:
        while not Chats(database).page(limit=1) and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        child.kill()
        child.wait()
        there = sum(1 for _ in stored_trees(database))
        assert there > 0
        report = import_chats(path, database)
        assert (report.chats, report.already_there, report.grown) == (300 - there, there, 0)
        assert sum(len(tree.turns) for tree in stored_trees(database)) == 1800


def test_trees_of_chosen_chats(database: Database, tmp_path: Path) -> None:
    import_chats(write_json(tmp_path / "a.json", [rome("1"), rome("2"), rome("3")]), database, folder="F")
    Chats(database).create(title="empty")
    ids = {tree.chat.title: tree.chat.id for tree in stored_trees(database)}
    assert [tree.chat.title for tree in stored_trees(database, [ids["3"], ids["1"]])] == ["3", "1"]
    assert {tree.chat.title for tree in stored_trees(database, folder="F")} == {"1", "2", "3"}
    with pytest.raises(Missing):
        list(stored_trees(database, ["no such"]))


def test_reading_again_what_was_written_of_an_import_gives_the_same(empty_home: Path, tmp_path: Path) -> None:
    with open_database() as database:
        import_chats(write_json(tmp_path / "a.json", [rome()]), database)
        export(stored_trees(database), "json", tmp_path / "b.json", lambda _: None)
        (stored,) = stored_trees(database)
    (found,), _ = read_all(tmp_path / "b.json")
    assert found == stored

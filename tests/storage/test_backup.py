"""Backups: from either database into either, merged, and harmless whatever the file holds."""

from __future__ import annotations

import base64
import json
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from chapeta import config
from chapeta.chat.rows import MOST_DATA_BYTES, MOST_TEXT
from chapeta.chat.search import search
from chapeta.chat.store import Chats
from chapeta.chat.types import Attachment
from chapeta.errors import BadInput
from chapeta.gateway.ledger import Call
from chapeta.storage import backup, skill_settings, table_lines, zips
from chapeta.storage.backup import back_up_to, restore_from
from chapeta.storage.calls import insert_calls
from chapeta.storage.database import Database, open_database
from chapeta.storage.merge import content_id
from chapeta.storage.tables import access_keys, calls, chat_tags, metadata, spend

PICTURE = Attachment("", "", "a.png", "image/png", 5, "image", None, "", b"\x89PNG\x00")
REPORT = Attachment("", "", "report.md", "text/markdown", 6, "whole", 2, "Größe\x02")
CALL = Call(
    "id1", 1.8e9, "openai", "openai/gpt", "", "ci", "", 10, 2, 0, None, 0.5, 80.0, None, 200, "ok", "", False, 1, "r"
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url) as database:
        yield database


@pytest.fixture
def other_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Moves on to an empty data directory."""

    def move() -> Path:
        folder = tmp_path / "other"
        monkeypatch.setenv("CHAPETA_HOME", str(folder))
        return folder

    return move


def fill(database: Database, home: Path) -> str:
    """One of everything. Returns the chat's id."""
    chats = Chats(database)
    chat = chats.create(model="m", folder="Work")
    question = chats.add(chat.id, None, "user", "where is my parcel?", attachments=[PICTURE, REPORT])
    answer = chats.add(chat.id, question.id, "assistant", "", status="streaming")
    chats.save_request(answer.id, {"messages": [{"role": "user", "content": "where " * 50}], "model": "m"})
    chats.update(answer.id, text="On its way \0", status="failed", error={"message": "x"}, usd=0.5, call_id="id1")
    chats.add(chat.id, question.id, "assistant", "Nobody knows", status="streaming")
    chats.add_summary(chat.id, answer.id, "about a parcel", 3)
    chats.change(chat.id, tags=["b", "a"], pinned=True)
    gone = chats.create(title="deleted")
    chats.delete(gone.id)
    with database.write() as connection:
        insert_calls(connection, [CALL])
        connection.execute(spend.insert().values(key_id="k", period_start=0.0, usd=1.0))
        connection.execute(
            access_keys.insert().values(id="k", name="ci", sha256="s", last4="~ak~", models="[]", created_at=0.0)
        )
    write(home / "skills" / "triage" / "SKILL.md", "---\nname: triage\n")
    write(home / "skills" / "triage" / "references" / "a.md", "more")
    write(home / "skill-versions" / "triage" / "1" / "SKILL.md", "older")
    write(home / "datasets" / "tickets.jsonl", '{"messages": []}\n')
    adapter = home / "deployments" / "triage" / "adapter-x-1.gguf"
    write(adapter, "weights")
    write(home / "deployments" / "triage" / "deployment.json", json.dumps({"name": "triage", "adapter": str(adapter)}))
    write(home / "keys.json", "secret")
    return chat.id


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, but for their numbers and what a backup leaves out."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with database.read() as connection:
        for table in metadata.tables.values():
            if table not in (spend, access_keys):
                columns = [column for column in table.columns if column.name != "number"]
                found[table.name] = sorted((tuple(row) for row in connection.execute(select(*columns))), key=repr)
    return found


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_everything_comes_back_in_either_database(
    database: Database,
    empty_home: Path,
    other_home: Callable[[], Path],
    target: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    chat_id = fill(database, empty_home)
    written = back_up_to(database, tmp_path / "a" / "backup.zip")
    assert written.counts == {
        "chats": 2, "turns": 3, "contents": 3, "attachments": 2, "requests": 1, "summaries": 1, "calls": 1,
        "skills": 2, "skill-versions": 1, "datasets": 1, "deployments": 2,
    }  # fmt: skip
    assert written.left_out == {} and written.size == written.path.stat().st_size
    assert stat.S_IMODE(written.path.stat().st_mode) == 0o600
    with zipfile.ZipFile(written.path) as archive:
        assert not any(b"secret" in archive.read(name) or b"~ak~" in archive.read(name) for name in archive.namelist())

    home = other_home()
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    if target == "postgresql":
        url = request.getfixturevalue("postgres_server").new_database()
    with open_database(url) as restored:
        added = {**written.counts, "skills": 1, "deployments": 1}
        assert restore_from(restored, written.path) == backup.Restored(added)
        wanted = everything(database)
        assert [row[4] for row in wanted["chat_turns"]].count("streaming") == 1
        wanted["chat_turns"] = [tuple("cut" if v == "streaming" else v for v in row) for row in wanted["chat_turns"]]
        assert everything(restored) == wanted
        chats = Chats(restored)
        chat = chats.get(chat_id)
        assert (chat.tags, chat.pinned, chat.tip_id) == (("a", "b"), True, Chats(database).get(chat_id).tip_id)
        [question, answer] = chats.branch(chats.siblings([chat.tip_id or ""])[chat.tip_id or ""][0])
        [picture, report] = chats.attachments([question.id])[question.id]
        assert (chats.data(picture.id), report.text) == (PICTURE.data, REPORT.text)
        assert chats.request(answer.id) == Chats(database).request(answer.id)
        assert {hit.turn_id for hit in search(restored, "way")} == {answer.id}
        assert len(search(restored, "knows")) == 1  # what was cut is found too
        again = restore_from(restored, written.path)
        assert (again.added, again.already, again.refused) == ({}, added, {})
    assert (home / "skills" / "triage" / "references" / "a.md").read_text() == "more"
    assert sorted(path.name for path in home.iterdir()) == ["datasets", "deployments", "skill-versions", "skills"]
    deployment = json.loads((home / "deployments" / "triage" / "deployment.json").read_text())
    assert deployment["adapter"] == str(home / "deployments" / "triage" / "adapter-x-1.gguf")


def test_what_is_here_stays(database: Database, empty_home: Path, tmp_path: Path) -> None:
    chat_id = fill(database, empty_home)
    path = back_up_to(database, tmp_path / "backup.zip").path
    chats = Chats(database)
    tip = chats.get(chat_id).tip_id
    newer = chats.add(chat_id, tip, "user", "since then")
    chats.change(chat_id, title="renamed", tags=[])
    write(empty_home / "skills" / "triage" / "SKILL.md", "edited")
    (empty_home / "skills" / "triage" / "references" / "a.md").unlink()
    (empty_home / "datasets" / "tickets.jsonl").unlink()
    restored = restore_from(database, path)
    assert restored.added == {"datasets": 1}
    assert restored.already["chats"] == 2 and restored.already["skills"] == 1
    chat = chats.get(chat_id)
    assert (chat.title, chat.tags, chat.tip_id) == ("renamed", (), newer.id)
    assert (empty_home / "skills" / "triage" / "SKILL.md").read_text() == "edited"
    assert not (empty_home / "skills" / "triage" / "references" / "a.md").exists()  # no mixture of two versions
    assert (empty_home / "datasets" / "tickets.jsonl").exists()


def test_turns_that_are_missing_come_into_a_chat_that_is_here(empty_home: Path, tmp_path: Path) -> None:
    with open_database() as database:
        chats = Chats(database)
        chat = chats.create(title="t")
        first = chats.add(chat.id, None, "user", "first")
        path = back_up_to(database, tmp_path / "1.zip").path
        second = chats.add(chat.id, first.id, "assistant", "second")
        longer = back_up_to(database, tmp_path / "2.zip").path
    with open_database(f"sqlite:///{tmp_path / 'new.sqlite'}") as database:
        restore_from(database, path)
        assert restore_from(database, longer).added == {"turns": 1}
        assert [turn.id for turn in Chats(database).branch(second.id)] == [first.id, second.id]


def test_a_file_that_exists_is_not_overwritten_by_a_backup(database: Database, tmp_path: Path) -> None:
    write(tmp_path / "a.zip", "mine")
    with pytest.raises(BadInput, match=r"a\.zip exists already"):
        back_up_to(database, tmp_path / "a.zip")
    with pytest.raises(BadInput, match="is a file, not a folder"):
        back_up_to(database, tmp_path / "a.zip" / "b.zip")
    assert [path.name for path in tmp_path.glob("*.zip*")] == ["a.zip"]


def test_links_are_not_followed_by_a_backup(database: Database, empty_home: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "secret", "secret")
    write(empty_home / "skills" / "a" / "SKILL.md", "x")
    (empty_home / "skills" / "a" / "link").symlink_to(tmp_path / "outside" / "secret")
    (empty_home / "skills" / "b").symlink_to(tmp_path / "outside")
    written = back_up_to(database, tmp_path / "b.zip")
    assert (written.counts["skills"], written.left_out) == (1, {"links and special files": 2})


# what others may have put into the file


def made(path: Path, members: dict[str, bytes | str], **about: Any) -> Path:
    manifest = {"format": backup.FORMAT, "version": 1, **about}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(backup.MANIFEST, json.dumps(manifest))
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def lines(*rows: object) -> str:
    return "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


def chat_row(**changes: Any) -> dict[str, Any]:
    row = {"id": "c1", "created_at": 1.0, "updated_at": 1.0, "pinned": False, "tip_id": None, "model": "", "skill": ""}
    return {**row, "folder": "", "title": "t", **changes}


def turn_row(**changes: Any) -> dict[str, Any]:
    row = {"id": "t1", "chat_id": "c1", "parent_id": "", "role": "user", "status": "done", "created_at": 1.0}
    texts = dict.fromkeys(("model", "skill", "skill_version", "skill_by", "call_id", "reasoning", "text"), "")
    return {**row, **texts, **changes}


NAMES = [
    "skills/../../evil", "../evil", "/evil", "skills//evil", "skills/./evil", "skills/..", "skills/a/../../../evil",
    "skills\\..\\..\\evil", "skills/a\\..\\b", "C:/evil", "skills/C:evil", "skills/a/con", "skills/NUL.txt", "skills/a ",
    "skills/a./b", "skills/a\x07b/c", "evil", "keys.json", "models/x.gguf", "chapeta.sqlite", "skills", "skills/.x/SKILL.md",
    "skills/" + "a" * 300, "skills/" + "a/" * 40 + "b", "tables/access_keys.jsonl", "skills/~/x|y", "datasets/a\u202e\n",
]  # fmt: skip


def test_no_name_leads_elsewhere(empty_home: Path, tmp_path: Path) -> None:
    path = made(tmp_path / "b.zip", {**dict.fromkeys(NAMES, "evil"), "skills/good/SKILL.md": "x"})
    before = sorted(tmp_path.rglob("*"))
    with open_database() as database:
        restored = restore_from(database, path)
    files = {file for file in tmp_path.rglob("*") if file not in before and not file.name.startswith("chapeta.sqlite")}
    skills = empty_home / "skills"
    assert files == {skills, skills / "good", skills / "good" / "SKILL.md"}
    assert restored.added == {"skills": 1}
    assert restored.refused == {"files that belong nowhere": len(NAMES)}


def test_links_in_a_zip_and_in_the_way_are_refused(empty_home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (empty_home / "skill-versions").mkdir()
    (empty_home / "skill-versions" / "mine").symlink_to(outside)
    (empty_home / "skills").mkdir()
    (empty_home / "skills" / "dangling").symlink_to(outside / "nothing")
    path = made(tmp_path / "b.zip", {"skill-versions/mine/2/SKILL.md": "x", "skills/dangling/SKILL.md": "x"})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("skills/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, str(outside))
        archive.writestr("skills/link/SKILL.md", "x")
    with open_database() as database:
        restored = restore_from(database, path)
    assert list(outside.iterdir()) == []
    assert restored.refused == {"links in the way": 1, "links and special files": 1}
    assert (restored.added, restored.already) == ({"skills": 1}, {"skills": 1})
    assert not (empty_home / "skills" / "link").is_symlink()


def test_bombs_are_refused_before_they_unpack(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "FREE_BYTES", 1 << 20)  # the bounds, made small so that the test's files may be
    with open_database() as database:
        path = made(tmp_path / "a.zip", {"skills/a/big": bytes(3 << 20), "tables/turns.jsonl": b" " * (3 << 20)})
        assert restore_from(database, path).refused == {"files packed tighter than 1:200": 2}
        assert not (empty_home / "skills" / "a").exists()
        monkeypatch.setattr(zips, "MOST_TOTAL_BYTES", 1 << 19)
        with pytest.raises(BadInput, match="unpacks to 1 MiB, and 0 GiB is the bound"):
            restore_from(database, made(tmp_path / "b.zip", {"skills/a/big": bytes(1 << 20)}))
        monkeypatch.setattr(zips, "MOST_TOTAL_BYTES", 1 << 40)
        monkeypatch.setattr(zips, "RESERVE_BYTES", 1 << 60)
        with pytest.raises(BadInput, match="the disk has 0 MiB to spare"):
            restore_from(database, made(tmp_path / "c.zip", {"skills/a/x": b"x"}))
        monkeypatch.setattr(zips, "MOST_FILES", 1)
        with pytest.raises(BadInput, match="more than 1 files"):
            restore_from(database, made(tmp_path / "d.zip", {"skills/a/x": b"x"}))


def test_many_small_files_that_are_a_bomb_together_are_refused(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "FREE_BYTES", 1 << 20)
    files = {f"datasets/{number}.jsonl": bytes(1 << 19) for number in range(4)}
    with open_database() as database, pytest.raises(BadInput, match="packed tighter than 1:200"):
        restore_from(database, made(tmp_path / "a.zip", files))


def test_what_lists_show_is_shortened(empty_home: Path, tmp_path: Path) -> None:
    chat = chat_row(title="t" * 100_000, folder="f" * 100_000, tags=["g" * 100_000])
    with open_database() as database:
        restore_from(database, made(tmp_path / "a.zip", {"tables/chats.jsonl": lines(chat)}))
        (found,) = Chats(database).page()
        assert (len(found.title), len(found.folder), [len(tag) for tag in found.tags]) == (500, 500, [60])


def test_a_table_of_contents_beyond_the_bound_is_not_read(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "a.zip", {f"skills/a/{n}": "" for n in range(200)})
    monkeypatch.setattr(zips, "MOST_READ_BYTES", 4096)
    with open_database() as database, pytest.raises(BadInput, match="is no whole ZIP file"):
        restore_from(database, path)


def test_a_size_that_lies_unpacks_no_more_than_it_claims(empty_home: Path, tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", {"skills/a/SKILL.md": bytes(1 << 20), "skills/b/SKILL.md": "x"})
    data = path.read_bytes()
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # the unpacked size, APPNOTE 4.3.7 and 4.3.12
        start = data.index(b"skills/a/SKILL.md", data.index(signature))
        head = data.rindex(signature, 0, start)
        data = data[: head + place] + struct.pack("<L", 10) + data[head + place + 4 :]
        if signature == b"PK\x03\x04":
            continue
        head = data.rindex(b"PK\x01\x02", 0, data.rindex(b"skills/a/SKILL.md"))
        data = data[: head + place] + struct.pack("<L", 10) + data[head + place + 4 :]
    path.write_bytes(data)
    with open_database() as database:
        restored = restore_from(database, path)
    assert restored.refused == {"damaged files": 1}
    assert [file.name for file in (empty_home / "skills").iterdir()] == ["b"]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("no.zip", b"hello", "it is no whole ZIP file"),
        ("empty.zip", b"", "it is no whole ZIP file"),
        ("half.zip", b"PK\x03\x04" + bytes(100), "it is no whole ZIP file"),
        ("missing.zip", None, "does not exist"),
    ],
)
def test_what_is_no_backup_is_refused(
    empty_home: Path, tmp_path: Path, name: str, data: bytes | None, told: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with open_database() as database, pytest.raises(BadInput, match=told):
        restore_from(database, tmp_path / name)


def test_other_zips_and_later_backups_are_refused(empty_home: Path, tmp_path: Path) -> None:
    with open_database() as database:
        for about, told in (({"version": 2}, "written by a newer Chapeta"), ({"format": "x"}, "no backup of ours")):
            with pytest.raises(BadInput, match=told):
                restore_from(database, made(tmp_path / "a.zip", {"skills/a/SKILL.md": "x"}, **about))
        with pytest.raises(BadInput, match="is a folder"):
            restore_from(database, tmp_path)
    assert not (empty_home / "skills").exists()


def test_rows_that_do_not_fit_are_refused_one_by_one(database: Database, tmp_path: Path) -> None:
    deep = '{"id": ' + "[" * 100_000
    chats = [chat_row(), chat_row(id="c2", tip_id="elsewhere", deleted_at=2.0), chat_row(id="c1", title="twice")]
    bad_chats = [
        chat_row(id="a/b"), chat_row(id="x" * 65), chat_row(id=7), chat_row(id="c3", title=None),
        chat_row(id="c4", pinned=1),        chat_row(id="c5", created_at=1e12), chat_row(id="c6", created_at=-1),
        chat_row(id="c7", tags=[1]),
        chat_row(id="c8", tags=["x"] * 51), "[]", "nonsense", deep, '{"id": "\udcff"}',
    ]  # fmt: skip
    turns = [
        turn_row(text="nul \0", status="streaming"), turn_row(id="t2", parent_id="t1", tokens_in=2**63),
        turn_row(id="t2", text="twice"), turn_row(id="t3", chat_id="c2", usd=2e9, error='{"message": "x"}'),
    ]  # fmt: skip
    bad_turns = [
        turn_row(id="u1", chat_id="nowhere"), turn_row(id="u2", parent_id="nowhere"), turn_row(id="u3", parent_id="t3"),
        turn_row(id="u4", parent_id="u4"), turn_row(id="u5", role="system"), turn_row(id="u6", status="x"),
        turn_row(id="u7", error="[]"), turn_row(id="u8", text=5), turn_row(id="u9", skill_by="x"),
        turn_row(id="t9", parent_id="t10"), turn_row(id="u11", text="half \ud800"), turn_row(id="u10", parent_id="t9"),
    ]  # fmt: skip
    data = base64.b64encode(b"hello").decode()
    contents = [
        {"chat_id": "c1", "id": content_id(b"hello"), "data": data},
        {"chat_id": "c1", "id": content_id(b"other"), "data": data},
        {"chat_id": "nowhere", "id": content_id(b"hello"), "data": data},
        {"chat_id": "c1", "id": content_id(b"hello"), "data": "***"},
    ]
    requests = [
        {"turn_id": "t1", "chat_id": "c1", "body": '{"kept": 1}'},
        {"turn_id": "t2", "chat_id": "c2", "body": "{}"},
        {"turn_id": "t2", "chat_id": "c1", "body": "[" * 100_000},
    ]
    path = made(
        tmp_path / "b.zip",
        {
            "tables/chats.jsonl": lines(*chats, *bad_chats).encode("utf-8", "surrogatepass"),
            "tables/turns.jsonl": lines(*turns, *bad_turns).encode("utf-8", "surrogatepass"),
            "tables/contents.jsonl": lines(*contents),
            "tables/requests.jsonl": lines(*requests),
            "tables/spend.jsonl": lines({"key_id": "k", "period_start": 0.0, "usd": 5.0}),
        },
    )
    restored = restore_from(database, path)
    assert restored.added == {"chats": 2, "turns": 3, "contents": 1, "requests": 1}
    # twice the same row counts as there already
    assert restored.already == {"chats": 1, "turns": 1}
    assert sum(restored.refused.values()) == len(bad_chats) + len(bad_turns) + 3 + 2 + 1
    store = Chats(database)
    assert store.get("c1").title == "t"
    [first, second] = store.branch("t2")
    assert (first.text, first.status, second.tokens_in) == ("nul \ufffd", "cut", None)
    assert store.request("t1") is None
    store.undelete("c2")
    assert store.get("c2").tip_id == "t3"  # what it said is no turn of it
    assert store.turn("t3").usd is None
    with database.read() as connection:
        assert connection.execute(select(spend)).first() is None
        assert connection.execute(select(chat_tags)).first() is None


def test_a_line_without_an_end_is_not_taken_into_memory(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(table_lines.TABLES, "turns", (table_lines.TABLES["turns"][0], 10_000))
    rows = lines(turn_row(), turn_row(id="t2", text="x" * 5_000_000), turn_row(id="t3"))
    path = made(tmp_path / "b.zip", {"tables/chats.jsonl": lines(chat_row()), "tables/turns.jsonl": rows})
    with open_database() as database:
        restored = restore_from(database, path)
    assert restored.added == {"chats": 1, "turns": 2}
    assert restored.refused == {"rows of more than 0 MiB": 1}


def test_the_largest_rows_of_a_chat_come_back(empty_home: Path, other_home: Callable[[], Path], tmp_path: Path) -> None:
    assert 2 * 4 * MOST_TEXT < table_lines.LARGE_ROW  # text and reasoning of characters of four bytes
    assert 2 * MOST_DATA_BYTES * 4 / 3 < table_lines.LARGE_ROW  # what `rows.keep_content` takes, in Base64
    with open_database() as database:
        chats = Chats(database)
        chat = chats.create()
        question = chats.add(chat.id, None, "user", "?")
        answer = chats.add(chat.id, question.id, "assistant", "", status="streaming")
        chats.update(answer.id, text="!", reasoning="\x01" * MOST_TEXT, status="done")  # six bytes each in JSON
        chats.save_request(answer.id, {"messages": [], "tools": "x" * (5 << 20)})
        written = back_up_to(database, tmp_path / "backup.zip")
        wanted = everything(database)
    assert written.left_out == {}
    other_home()
    with open_database() as restored:
        found = restore_from(restored, written.path)
        assert (found.added, found.refused) == ({"chats": 1, "turns": 2, "requests": 1}, {})
        assert everything(restored) == wanted


def test_a_row_that_could_not_be_restored_is_left_out_and_told(
    database: Database, empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(table_lines.TABLES, "turns", (table_lines.TABLES["turns"][0], 10_000))
    chats = Chats(database)
    chat = chats.create()
    for text in ("short", "\x01" * 2_000):  # of which each takes six bytes
        chats.add(chat.id, None, "user", text)
    written = back_up_to(database, tmp_path / "backup.zip")
    assert (written.counts["turns"], written.left_out) == (1, {"rows of more than 0 MiB": 1})


def test_a_backup_is_never_packed_tighter_than_is_read(
    empty_home: Path, other_home: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "FREE_BYTES", 1 << 20)
    for number in range(4):  # none of them too tight by itself
        write(empty_home / "datasets" / f"{number}.jsonl", "a" * (1 << 19))
    write(empty_home / "skills" / "a" / "SKILL.md", "b" * (3 << 20))
    with open_database() as database:
        written = back_up_to(database, tmp_path / "backup.zip")
    home = other_home()
    with open_database() as database:
        restored = restore_from(database, written.path)
    assert (restored.added, restored.refused) == ({"datasets": 4, "skills": 1}, {})
    assert (home / "skills" / "a" / "SKILL.md").stat().st_size == 3 << 20


def test_a_backup_beyond_the_bounds_is_not_written(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(empty_home / "datasets" / "a.jsonl", "x" * 1000)
    write(empty_home / "skill-settings.json", "{" + " " * skill_settings.MOST_BYTES + "}")
    path = tmp_path / "to" / "backup.zip"
    with open_database() as database:
        for bound, match in (("MOST_FILES", "more than 3 files"), ("MOST_TOTAL_BYTES", "0 GiB is the bound")):
            with monkeypatch.context() as patch, pytest.raises(BadInput, match=match):
                patch.setattr(zips, bound, 3)
                back_up_to(database, path)
        assert list(path.parent.iterdir()) == []
        assert back_up_to(database, path).left_out == {"settings of more than 1 MiB": 1}


def test_a_damaged_file_gives_what_stands_before_the_damage(empty_home: Path, tmp_path: Path) -> None:
    path = made(tmp_path / "b.zip", {"tables/chats.jsonl": lines(chat_row()), "skills/a/SKILL.md": "word " * 10})
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("skills/a/SKILL.md")
    data = bytearray(path.read_bytes())
    place = info.header_offset + 30 + len(info.filename) + 2
    data[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with open_database() as database:
        restored = restore_from(database, path)
    assert (restored.added, restored.refused) == ({"chats": 1}, {"damaged files": 1})
    assert list((empty_home / "skills").iterdir()) == []


@pytest.mark.parametrize(
    "deployment",
    ['{"adapter": "/etc/passwd"}', '{"adapter": "../x.gguf"}', '{"adapter": ".."}', "[]", "{", "[" * 100_000],
)
def test_a_deployment_uses_no_file_but_its_own(empty_home: Path, tmp_path: Path, deployment: str) -> None:
    path = made(tmp_path / "b.zip", {"deployments/a/deployment.json": deployment})
    with open_database() as database:
        assert restore_from(database, path).refused == {"deployments that are none": 1}
    assert list((empty_home / "deployments").iterdir()) == []


def test_names_that_exclude_each_other(empty_home: Path, tmp_path: Path) -> None:
    path = made(tmp_path / "b.zip", {"skills/a/b": "file", "skills/a/b/c": "below it", "datasets/x.jsonl": "{}"})
    with open_database() as database:
        restored = restore_from(database, path)
    assert restored.refused == {"files whose names exclude each other": 2}
    assert restored.added == {"datasets": 1}
    assert not (empty_home / "skills" / "a").exists()


def test_calls_are_counted_once(database: Database, tmp_path: Path) -> None:
    row = {**CALL._asdict(), "streamed": False, "usd": 1e300, "prompt": "x\0", "unknown": {"a": [1]}}
    path = made(tmp_path / "b.zip", {"tables/calls.jsonl": lines(row, row, {"id": "x"})})
    assert restore_from(database, path).added == {"calls": 1}
    restored = restore_from(database, path)
    assert (restored.already, restored.refused) == ({"calls": 2}, {"not a row of this table": 1})
    with database.read() as connection:
        [found] = connection.execute(select(calls)).all()
    assert (found.usd, found.prompt) == (None, "x\ufffd")
    assert config.home().exists()

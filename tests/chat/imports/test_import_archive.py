"""What a user may point at: ZIPs whole, cut, damaged and malicious, folders, files that are no export."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from pathlib import Path

import pytest
from sample_exports import parcel, read_all, rome, write_json, write_zip

from chapeta.chat.imports import archive as module
from chapeta.chat.imports.archive import open_archive
from chapeta.chat.imports.tree import Skips
from chapeta.errors import BadInput

MANY = {
    f"conversations-{n:03}.json": [rome(f"{n}-{k}", note=os.urandom(2000).hex()) for k in range(4)] for n in range(5)
}


def refused(path: Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read_all(path)
    assert "\n" not in str(caught.value)
    assert "Give the ZIP of a ChatGPT or Claude export" in caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"\x00\x01\x02binary", "a binary file"),
        (b"<html><body>chat</body></html>", "a web page"),
        (b"Dear diary, today", "text that begins \u201cDear diary, today\u201d"),
        (b'[{"name": "x", "price": 3}]', "JSON with name, price"),
        (b"[1, 2, 3]", "JSON without objects"),
        (b'"\xff\xfe', "text that begins"),
        (b'[{"mapping": 5, "title": "x"}]', "JSON with mapping, title"),
    ],
)
def test_a_file_that_is_no_export_is_refused_with_what_was_seen(content: bytes, seen: str, tmp_path: Path) -> None:
    path = tmp_path / "conversations.json"
    path.write_bytes(content)
    assert seen in refused(path).message


def test_a_zip_and_a_folder_without_chats(tmp_path: Path) -> None:
    told = refused(write_zip(tmp_path / "a.zip", {"user.json": {"id": 1}, "x/photo.png": b"\x89PNG"})).message
    assert "holds no chats: user.json (JSON with id)" in told
    (tmp_path / "empty").mkdir()
    assert "holds no chats: it is empty" in refused(tmp_path / "empty").message


def test_what_is_not_there_or_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        read_all(tmp_path / "none.zip")
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refused(tmp_path / "pipe").message


def test_kinds_may_be_mixed_and_names_say_nothing(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "export", {"a.json": [rome()], "deep/er/users.json": parcel(), "b": [parcel("more")]})
    found, _ = read_all(path)
    assert [tree.chat.title for tree in found] == ["Trip to Rome", "more", "Parcel"]


def test_names_that_lead_elsewhere_harm_nothing(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = write_zip(
        inside / "evil.zip", {"../../escaped.json": [rome()], "/abs.json": [rome("2")], "C:\\x.json": [rome("3")]}
    )
    found, _ = read_all(path)
    assert len(found) == 3
    assert [p.name for p in tmp_path.rglob("*")] == ["inside", "evil.zip"]


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    write_json(tmp_path / "secret.json", [rome("secret")])
    folder = tmp_path / "export"
    folder.mkdir()
    write_json(folder / "conversations.json", [rome("mine")])
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    (folder / "up").symlink_to(tmp_path)
    found, skips = read_all(folder)
    assert [tree.chat.title for tree in found] == ["mine"]
    assert ("link.json", "a link or a special file") in {(s.what, s.why) for s in skips.named}


def test_an_archive_within_is_named_not_opened(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "inner.zip", {"conversations.json": [rome()]}).read_bytes()
    told = refused(write_zip(tmp_path / "outer.zip", {"export/inner.zip": inner})).message
    assert "export/inner.zip: an archive within: unpack it and import it by itself" in told


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("conversations.json", "w") as file:
        for _ in range(260):
            file.write(b" " * (1 << 20))
    assert "unpacks to more than 200 times its size" in refused(path).message


def test_a_small_bomb_takes_no_memory(tmp_path: Path) -> None:
    """100 MB in one record of ours would be: it is passed over while it is read."""
    import tracemalloc

    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("conversations.json", "w") as file:
        file.write(json.dumps([rome()])[:-1].encode() + b', {"mapping": {"a": "')
        for _ in range(160):
            file.write(b"x" * (1 << 20))
        file.write(b'"}},' + json.dumps(rome("after")).encode() + b"]")
    tracemalloc.start()
    found, skips = read_all(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [tree.chat.title for tree in found] == ["Trip to Rome", "after"]
    assert [s.why for s in skips.named] == ["larger than 128 MiB"]
    assert most < 300 << 20


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_not_read(method: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("conversations.json", json.dumps([rome()]))
    assert "packed in a way that is not read" in refused(tmp_path / "a.zip").message


def test_an_encrypted_file_is_named(tmp_path: Path) -> None:
    data = bytearray(write_zip(tmp_path / "a.zip", {"c.json": [rome()]}).read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert "c.json: encrypted" in refused(tmp_path / "a.zip").message


@pytest.mark.parametrize("stated", ["plainly", "as ZIP64", "twice"])
def test_a_table_that_is_too_large_is_not_read(stated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the file says how large its table is: zipfile believes the ZIP64 record, whatever the plain end says."""
    path = write_zip(tmp_path / "a.zip", {f"{number}.json": [] for number in range(200)})
    data = path.read_bytes()
    place = data.rindex(b"PK\x05\x06")
    end = bytearray(data[place:])
    entries, size, start = struct.unpack_from("<HLL", end, 10)
    if stated == "as ZIP64":
        record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, size, start)
        end[:0] = record + struct.pack("<4sLQL", b"PK\x06\x07", 0, place, 1)
        struct.pack_into("<HHLL", end, len(end) - 14, 1, 1, 46, start)
    if stated == "twice":
        struct.pack_into("<4s", end, 4, b"PK\x05\x06")  # in the numbers of disks, which nobody reads
    path.write_bytes(data[:place] + end)
    assert len(zipfile.ZipFile(path).namelist()) == 200
    monkeypatch.setattr(module, "MOST_DIRECTORY_BYTES", 8192)
    assert "too many files" in refused(path).message


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.35, 0.62, 0.9, 0.999])
def test_a_cut_zip_gives_what_is_whole(share: float, streamed: bool, tmp_path: Path) -> None:
    """streamed: the sizes stand behind the data, as in archives that are made while they are sent."""
    target = io.BytesIO()
    if streamed:
        target.seekable = lambda: False  # type: ignore[method-assign]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in MANY.items():
            archive.writestr(name, json.dumps(value))
    whole = target.getvalue()
    path = tmp_path / "cut.zip"
    path.write_bytes(whole[: int(len(whole) * share)])
    found, skips = read_all(path)
    assert [tree.chat.title for tree in found] == [f"{n}-{k}" for n in range(5) for k in range(4)][: len(found)]
    assert len(found) >= int(20 * share) - 1
    assert skips.named[0].why == "the ZIP file is cut off: what follows its last whole part is lost"
    if share < 0.9:
        assert any("the file is damaged after byte" in s.why for s in skips.named)


def test_a_cut_zip_of_stored_files(tmp_path: Path) -> None:
    path = tmp_path / "cut.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in MANY.items():
            archive.writestr(name, json.dumps(value))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found, _ = read_all(path)
    assert 8 <= len(found) <= 10


def test_a_damaged_file_in_a_zip_spoils_no_other(tmp_path: Path) -> None:
    data = bytearray(write_zip(tmp_path / "a.zip", MANY).read_bytes())
    place = data.index(b"conversations-002.json") + 5000
    data[place : place + 50] = os.urandom(50)
    (tmp_path / "a.zip").write_bytes(data)
    found, skips = read_all(tmp_path / "a.zip")
    assert {tree.chat.title for tree in found} >= {f"{n}-{k}" for n in (0, 1, 3, 4) for k in range(4)}
    assert any(s.what.startswith("conversations-002.json") for s in skips.named)


def test_a_truncated_json_says_where_it_broke(tmp_path: Path) -> None:
    data = json.dumps([rome("one"), rome("two"), rome("three")]).encode()
    end = data.index(b"three") + 100
    (tmp_path / "conversations.json").write_bytes(data[:end])
    found, skips = read_all(tmp_path / "conversations.json")
    assert [tree.chat.title for tree in found] == ["one", "two"]
    (told,) = skips.named
    start = data.index(b'{"title": "three"')
    assert (told.what, told.why) == (f"conversations.json, byte {start:,}", f"the file breaks off after byte {end:,}")


def test_a_damaged_record_spoils_no_other(tmp_path: Path) -> None:
    text = json.dumps([rome("one"), rome("two"), rome("three")]).replace('"title": "two"', '"title" "two"')
    (tmp_path / "c.json").write_text(text, encoding="utf-8")
    found, skips = read_all(tmp_path / "c.json")
    assert [tree.chat.title for tree in found] == ["one", "three"]
    assert "damaged: " in skips.named[0].why


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 3)
    for n in range(5):
        write_json(tmp_path / f"{n}.json", [rome()])
    assert "holds more than 3 files" in refused(tmp_path).message


def test_the_report_stays_small(tmp_path: Path) -> None:
    empty = [rome(f"{n}", mapping={}) for n in range(5000)]
    found, skips = read_all(write_json(tmp_path / "c.json", [*empty, rome()]))
    assert len(found) == 1
    assert (len(skips.named), skips.reasons) == (200, {"a chat without a message": 5000})


def test_an_archive_is_closed(tmp_path: Path) -> None:
    skips = Skips()
    with open_archive(write_zip(tmp_path / "a.zip", {"c.json": [rome()]}), skips) as archive:
        (member,) = archive.members
        with archive.open(member) as file:
            assert file.read(1) == b"["

"""Brings chats in from the exports of ChatGPT and Claude, and from our own. See `import_chats`.

What a file is, is seen in its records, not in its name. Records are read one after the other, so that memory does not
grow with the export; what is damaged, or not known, is counted and named, and the rest comes over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chapeta.chat.imports import chatgpt, claude, ours
from chapeta.chat.imports.archive import CUT, EXPECTED, Archive, Member, open_archive
from chapeta.chat.imports.assets import Assets
from chapeta.chat.imports.pieces import DAMAGE, Piece, pieces
from chapeta.chat.imports.tree import Report, Skipped, Skips, Tree, shown
from chapeta.errors import BadInput
from chapeta.examples.source import MAGICS
from chapeta.progress import SILENT, Progress
from chapeta.types import Json

if TYPE_CHECKING:
    from chapeta.storage.database import Database

__all__ = ["Report", "Skipped", "import_chats", "trees"]

HEAD_BYTES = 4096
HOLDS_NONE = "holds no chat"
STRANGE_RECORDS = 1000  # so many without a chat among them, and a file is left
_KEY = re.compile(rb'"([\w-]{1,30})"\s*:')


def import_chats(path: Path, database: Database, *, folder: str = "", listener: Progress = SILENT) -> Report:
    """Imports every chat of a ZIP, a folder or a JSON file that is not there yet. Blocks; call it in a thread.

    folder: where new chats go that have none of their own. Raises BadInput, having written nothing, for a file that
    holds no chat, and what the database raises; what was written before such an error stays, and is not written twice.
    """
    from chapeta.chat.imports.write import write

    skips, told = Skips(), _Told(listener)
    with open_archive(path, skips, told) as archive:
        return write(database, trees(archive, skips, told), skips, folder, told.again)


class _Told(Progress):
    """Tells a listener how far it is, and the same again while chats are written, so that it can end the import there."""

    def __init__(self, listener: Progress) -> None:
        self._listener = listener
        self._last: tuple[float, float, str] = (0, 0, "")

    def advance(self, done: float, total: float, note: str = "") -> None:
        self._last = (done, total, note)
        self.again()

    def again(self) -> None:
        self._listener.advance(*self._last)


def trees(archive: Archive, skips: Skips, listener: Progress = SILENT) -> Iterator[Tree]:
    """The chats of an export, in the order of its files. Raises BadInput at the end if there was none."""
    assets = Assets(archive)
    members = [member for member in archive.members if member.may_hold_records or len(archive.members) == 1]
    total = sum(member.size for member in members)
    done, found = 0, 0
    seen: list[str] = []

    def look(place: int) -> None:
        listener.advance(done + place, total, f"{found:,} chats")

    for member in members:
        head = _head(archive, member)
        before = found
        if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{"):
            for place, tree in _of_member(archive, member, assets, skips, look):
                look(place)
                if tree is not None:
                    found += tree.part < 2
                    yield tree
        if found == before:
            seen.append(f"{shown(member.name)} ({_looks_like(head)})")
            if len(archive.members) > 1:
                skips.add(member.name, HOLDS_NONE)
        done += member.size
    listener.advance(total, total, f"{found:,} chats")
    if not found:
        remedy = "Download the export again." if CUT in skips.reasons else EXPECTED
        raise BadInput(_nothing(archive, seen, skips), remedy)


def _of_member(
    archive: Archive, member: Member, assets: Assets, skips: Skips, look: Callable[[int], None]
) -> Iterator[tuple[int, Tree | None]]:
    """Where in a file we are, in bytes, and each chat. `look` is told between chats, too, as a chat may be long."""
    known = strange = 0
    try:
        stream = archive.open(member)
    except DAMAGE as error:
        skips.add(member.name, f"cannot be opened ({shown(str(error))})")
        return
    with stream:
        for piece in pieces(stream, look=look):
            record = _record(piece, member, skips)
            kind = _kind(record) if record is not None else ""
            if record is None or not kind:
                strange += record is not None
                if strange >= STRANGE_RECORDS and not known:
                    return
                continue
            known += 1
            look(piece.start)
            yield piece.start, _tree(kind, record, assets, skips)
    if known and strange:
        skips.add(member.name, "records that are no chats", strange)


def _record(piece: Piece, member: Member, skips: Skips) -> Json | None:
    """The object in a piece; None, and why in `skips`, if there is none to be had."""
    where = f"{member.name}, byte {piece.start:,}"
    if piece.data is None:
        skips.add(where, piece.problem)
        return None
    try:
        try:
            value = msgspec.json.decode(piece.data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # Python's own reader takes what is common and strictly wrong: halves of characters, NaN, bytes that are no UTF-8
            value = json.loads(piece.data.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        skips.add(where, f"damaged: {shown(str(error))}")
        return None
    return value if isinstance(value, dict) else None


def _kind(record: Json) -> str:
    if ours.is_chat(record):
        return "ours"
    if chatgpt.is_chat(record):
        return "chatgpt"
    return "claude" if claude.is_chat(record) else ""


def _tree(kind: str, record: Json, assets: Assets, skips: Skips) -> Tree | None:
    if kind == "ours":
        return ours.read(record, skips)
    return chatgpt.read(record, assets, skips) if kind == "chatgpt" else claude.read(record, skips)


def _head(archive: Archive, member: Member) -> bytes:
    try:
        with archive.open(member) as file:
            return file.read(HEAD_BYTES)
    except DAMAGE:
        return b""


def _nothing(archive: Archive, seen: list[str], skips: Skips) -> str:
    """What to say where no chat was found."""
    if CUT in skips.reasons:
        return f"{archive.name} is a ZIP file that is cut off, and what is left of it holds no chat."
    damaged = next((skipped for skipped in skips.named if skipped.why != HOLDS_NONE), None)
    if damaged is not None:
        return f"{archive.name} holds no chat that could be read: {damaged.what}: {damaged.why}."
    told = "; ".join(seen[:3]) + (f" and {len(seen) - 3:,} more files" if len(seen) > 3 else "")
    return f"{archive.name} holds no chats: {told or 'it is empty'}."


def _looks_like(head: bytes) -> str:
    """What a file without chats is, in a few words."""
    for magic, what in MAGICS.items():
        if head.startswith(magic):
            return what
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        return "empty"
    if start[:1] in (b"[", b"{"):
        keys = [piece.decode("utf-8", "replace") for piece in _KEY.findall(start[:1000])[:4]]
        return f"JSON with {', '.join(keys)}" if keys else "JSON without objects"
    if b"\x00" in head:
        return "a binary file"
    return "a web page" if start[:1] == b"<" else f"text that begins “{shown(start[:40].decode('utf-8', 'replace'))}”"

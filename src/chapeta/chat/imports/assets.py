"""The files beside the chats of an export: pictures and documents that messages point to."""

from __future__ import annotations

import json
import mimetypes
import re
from typing import Any

from chapeta.chat.imports.archive import Archive, Member, read
from chapeta.chat.imports.pieces import DAMAGE
from chapeta.chat.imports.tree import clean, identity, shown
from chapeta.chat.pictures import image_type
from chapeta.chat.types import Attachment

NAMES = "conversation_asset_file_names.json"  # in ChatGPT's exports of 2026, where the files themselves are all *.dat
MOST_NAMES_BYTES = 16 << 20
MOST_IMAGE_BYTES = 20 << 20
MOST_TEXT_BYTES = 8 << 20
TEXTS = ("application/json", "application/xml", "application/x-yaml", "application/javascript", "application/x-sh")

_ID = re.compile(r"file[-_][A-Za-z0-9]+")


class Assets:
    """Finds the file of a pointer, such as `sediment://file_00ab`, and reads it when it is asked for."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._members: dict[str, Member] = {}
        for member in archive.members:
            base = member.name.rpartition("/")[2]
            if found := _ID.match(base):
                self._members.setdefault(found[0], member)
        self._names = self._given_names()

    def attachment(self, turn_id: str, pointer: str, about: dict[str, Any]) -> Attachment:
        """What a message names, with its content where that is in the export and can be used: raster images and text."""
        found = _ID.search(pointer)
        key = found[0] if found else pointer
        data = self._content(key)
        kind = image_type(data) if data is not None else ""  # by its first bytes, whatever its name: no SVG, no script
        name = shown(clean(about.get("name")) or self._names.get(key, "") or key) or "file"
        stated = clean(about.get("mime_type")) or clean(about.get("mimeType")) or mimetypes.guess_type(name)[0] or ""
        return Attachment(
            id=identity(turn_id, key), turn_id=turn_id, name=name,
            media_type=kind or shown(stated) or "application/octet-stream",
            size=len(data) if data is not None else _whole(about.get("size")),
            mode="image" if kind else "whole",  # an image that cannot be loaded could not be sent either
            text="" if kind or data is None else text_of(data, stated, name), data=data if kind else None,
        )  # fmt: skip

    def _content(self, key: str) -> bytes | None:
        member = self._members.get(key)
        if member is None:
            return None
        try:
            return read(self._archive, member, MOST_IMAGE_BYTES)
        except DAMAGE:
            return None

    def _given_names(self) -> dict[str, str]:
        """Display names by the ids of files."""
        found: dict[str, str] = {}
        for member in self._archive.members:
            if member.name.rpartition("/")[2] != NAMES:
                continue
            try:
                given = json.loads(read(self._archive, member, MOST_NAMES_BYTES) or b"{}")
            except (*DAMAGE, ValueError, RecursionError):
                continue
            for file, name in given.items() if isinstance(given, dict) else ():
                if (key := _ID.match(file)) and clean(name):
                    found[key[0]] = clean(name)
        return found


def text_of(data: bytes, media_type: str, name: str) -> str:
    """The text of a text file; "" for anything else, for what is not UTF-8 and for what is too long."""
    kind = media_type or mimetypes.guess_type(name)[0] or ""
    if len(data) > MOST_TEXT_BYTES or not (kind.startswith("text/") or kind in TEXTS):
        return ""
    try:
        return clean(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return ""


def _whole(value: Any) -> int:
    """A size as given, as far as it is one."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1 << 53 else 0

"""Files of an export as a browser hands them over: names that may be anything, and a path that nobody has to see."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from chapeta.chat.imports import Report, import_chats
from chapeta.errors import ChapetaError
from chapeta.progress import SILENT, Progress
from chapeta.storage.database import Database

MOST_NAME = 120  # characters
_ODD = re.compile(r"[^\w .()+-]|^\.+|[ .]+$")


class Stopped(Exception):
    """The user has had enough. What had come over stays."""


class Seen(Progress):
    """How far an import is, for a page to look at. Set `stop`, and it ends within about a second."""

    def __init__(self) -> None:
        self.share = 0.0
        self.note = ""
        self.stop = False

    def advance(self, done: float, total: float, note: str = "") -> None:
        self.share, self.note = done / total if total else 0.0, note
        if self.stop:
            raise Stopped


def file_name(given: str, taken: Collection[str]) -> str:
    """A name for an uploaded file that leads nowhere else, and that no other of them has. It keeps the ending."""
    plain = _ODD.sub("_", given)[-MOST_NAME:] or "file"
    name, number = plain, 2
    while name in taken:
        name, number = f"{number}-{plain}", number + 1
    return name


def import_uploaded(folder: Path, database: Database, *, put_into: str = "", listener: Progress = SILENT) -> Report:
    """Imports the files that were saved in a folder: one of them by itself, several as one export. Blocks.

    Raises what `import_chats` raises, without the folder's path in what it says.
    """
    files = list(folder.iterdir())
    try:
        return import_chats(files[0] if len(files) == 1 else folder, database, folder=put_into, listener=listener)
    except ChapetaError as error:
        shown = error.message.replace(f"{folder}/", "").replace(str(folder), "What you dropped")
        raise type(error)(shown, error.remedy) from error

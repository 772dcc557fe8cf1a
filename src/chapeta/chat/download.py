"""Chats of the database as one file of a fitting name: what the window hands over when something is exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chapeta.chat.export import Exported, Format, export, file_name
from chapeta.chat.store import Chats
from chapeta.chat.trees import stored_data, stored_trees
from chapeta.progress import SILENT, Progress
from chapeta.storage.database import Database


def export_to(
    database: Database, folder: Path, form: Format, chat_ids: Sequence[str] | None = None, listener: Progress = SILENT
) -> Exported:
    """Writes these chats, or all, into a folder. One is named after its title; Markdown of several is a ZIP. Blocks.

    Raises Missing for a chat that is gone, and what `export` raises.
    """
    if chat_ids is not None and len(chat_ids) == 1:
        path = folder / file_name(Chats(database).get(chat_ids[0]), f".{form}")
    else:
        path = folder / ("chats.zip" if form == "md" else f"chats.{form}")
    found = stored_trees(database, chat_ids)
    return export(found, form, path, lambda key: stored_data(database, key), listener)

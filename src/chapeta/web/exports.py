"""Chats as files that the browser downloads, written by `chat/download.py`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from nicegui import ui

from chapeta.chat.download import export_to
from chapeta.chat.export import Format
from chapeta.errors import ChapetaError
from chapeta.files import passing_folder
from chapeta.web.frame import say
from chapeta.web.services import Services, slow

FORMS: dict[Format, str] = {"md": "Markdown", "json": "JSON", "jsonl": "OpenAI JSONL"}


async def download(services: Services, form: Format, chat_ids: Sequence[str] | None = None) -> None:
    """Hands these chats, or all, to the browser as one file. What was written for it is removed with the page."""
    folder = passing_folder()
    ui.context.client.on_delete(lambda: shutil.rmtree(folder, ignore_errors=True))
    waiting = ui.notification(f"Writing {FORMS[form]} …", spinner=True, timeout=None, position="top")
    try:
        done = await slow(export_to, services.database, folder, form, chat_ids)
    except ChapetaError as error:
        say(error)
        return
    finally:
        waiting.dismiss()
    if done.left_out:
        say(
            f"{done.left_out:,} of {done.chats:,} chats have no answer to learn from, and are not in the file.",
            "warning",
        )
    if done.size:
        ui.download.file(done.path, done.path.name)

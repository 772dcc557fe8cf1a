"""The chat: a column of turns, a box to write in, and above them who answers, how full the window is, and what it cost."""

from __future__ import annotations

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.web import theme
from chapeta.web.frame import frame, list_chats, send_frame
from chapeta.web.services import Services


async def show(services: Services, chat_id: str = "") -> None:
    """An open chat, or a new one that begins with the first message."""
    for script in ("talk", "composer"):
        ui.add_head_html(f'<script defer src="{theme.ASSETS}/{script}.js"></script>')
    with frame("Chat", "" if chat_id else "/"):
        await send_frame()
        from chapeta.web.talk.turns import show_error  # while the browser loads the frame
        from chapeta.web.talk.view import Talk

        try:
            await Talk(services).open(chat_id)
            await list_chats(services, chat_id)
        except ChapetaError as error:  # the database is locked, say
            show_error({"message": error.message, "remedy": error.remedy})

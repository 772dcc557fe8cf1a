"""The chat: a column of turns, a box to write in, and above them who answers, how full the window is, and what it cost."""

from __future__ import annotations

from nicegui import ui

from chapeta.web import theme
from chapeta.web.frame import frame, list_chats
from chapeta.web.services import Services
from chapeta.web.talk.view import Talk


async def show(services: Services, chat_id: str = "") -> None:
    """An open chat, or a new one that begins with the first message."""
    ui.add_head_html(f'<script defer src="{theme.ASSETS}/talk.js"></script>')
    with frame("Chat", "" if chat_id else "/"):
        talk = Talk(services)
        await talk.open(chat_id)
    await list_chats(services, chat_id)

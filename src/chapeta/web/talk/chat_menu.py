"""What can be done with the chat that is open: rename, pin, folder, tags, export, delete with a way back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from nicegui import ui

from chapeta.chat import many
from chapeta.chat.export import FORMATS
from chapeta.chat.types import Chat
from chapeta.errors import ChapetaError
from chapeta.web import chat_dialogs
from chapeta.web.exports import FORMS, download
from chapeta.web.frame import list_chats, say
from chapeta.web.services import thread
from chapeta.web.undo import offer_undo

if TYPE_CHECKING:
    from chapeta.web.talk.view import Talk

Act = Callable[["Talk", Chat], Awaitable[None]]


def draw_menu(talk: Talk) -> None:
    """The button with the menu. Each act runs in the page's own place, as the head may be drawn anew meanwhile."""
    content = ui.context.client.content

    def item(label: str, icon: str, act: Act) -> ui.label:
        async def acted() -> None:
            with content:
                try:
                    if talk.chat is not None:
                        await act(talk, talk.chat)
                except ChapetaError as error:
                    say(error)

        with ui.menu_item(on_click=acted).props("role=menuitem").classes("items-center"):
            ui.icon(icon).classes("muted q-mr-sm").style("font-size: 18px")
            return ui.label(label)

    async def pin(talk: Talk, chat: Chat) -> None:
        pinned.text = "Pin" if chat.pinned else "Unpin"
        await _change(talk, chat, pinned=not chat.pinned)

    button = ui.button(icon="more_horiz", color=None).props('flat dense round aria-label="More"').classes("muted")
    with button, ui.menu().props("role=menu"):
        item("Rename", "edit", _rename)
        pinned = item("Unpin" if talk.chat and talk.chat.pinned else "Pin", "push_pin", pin)
        item("Folder…", "folder_open", _folder)
        item("Tags…", "sell", _tags)
        ui.separator()
        for form in FORMATS:
            item(f"Export as {FORMS[form]}", "download", partial(_export, form))
        ui.separator()
        item("Delete", "delete_outline", _delete)


async def _rename(talk: Talk, chat: Chat) -> None:
    title = await chat_dialogs.ask_title(chat.title)
    if title is not None:
        await _change(talk, chat, title=title)


async def _folder(talk: Talk, chat: Chat) -> None:
    known = [name for name, _ in await thread(talk.services.chats.folders)]
    folder = await chat_dialogs.ask_folder(known, chat.folder)
    if folder is not None:
        await _change(talk, chat, folder=folder)


async def _tags(talk: Talk, chat: Chat) -> None:
    known = [name for name, _ in await thread(talk.services.chats.tags)]
    tags = await chat_dialogs.ask_tags(known, chat.tags)
    if tags is not None:
        await thread(many.retag, talk.services.database, [chat.id], tags.add, tags.remove)
        await _change(talk, chat)


async def _export(form: Any, talk: Talk, chat: Chat) -> None:
    await download(talk.services, form, [chat.id])


async def _change(talk: Talk, chat: Chat, **changes: Any) -> None:
    """Changes the chat, and the side, which shows it."""
    changed = await thread(talk.services.chats.change, chat.id, **changes)
    if talk.chat is not None and talk.chat.id == chat.id:
        talk.chat = changed
    await list_chats(talk.services, chat.id)


async def _delete(talk: Talk, chat: Chat) -> None:
    """The page becomes that of a new chat, so that the way back stays in sight."""
    await talk.stop()
    await thread(many.delete, talk.services.database, [chat.id])
    talk.chat, talk.dropped = None, frozenset()
    ui.navigate.history.replace("/")
    await talk.draw()
    await list_chats(talk.services)

    async def undo() -> None:
        await thread(many.undelete, talk.services.database, [chat.id])
        ui.navigate.to(f"/chat/{chat.id}")

    offer_undo(f"“{chat.title[:60] or 'New chat'}” is deleted. It is kept for 30 days.", undo)

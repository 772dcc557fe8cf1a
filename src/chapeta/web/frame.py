"""The frame around every page: the side with its links and the latest chats, and what goes wrong said in place."""

from __future__ import annotations

import asyncio
import contextlib
import html
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote

from nicegui import Client, ElementFilter, background_tasks, ui
from nicegui.client import ClientConnectionTimeout

from chapeta.chat.listing import Filter, listed
from chapeta.chat.types import Chat
from chapeta.web import theme
from chapeta.web.pages import PAGES
from chapeta.web.services import Services, thread

RECENT = 40
SENDING_S = 0.005  # in which the server writes a page's beginning, before it is busy with the rest
CONNECTING_S = 60.0  # what has not connected by then has gone
CHATS = "/chats"


@contextlib.contextmanager
def frame(title: str, path: str) -> Iterator[ui.column]:
    """Builds the frame; what is made inside the block is the page. `path`: of the page, to mark it in the side."""
    theme.apply()
    ui.page_title(f"{title} · Chapeta")
    drawer = ui.left_drawer(value=False, bordered=True).props(":width=272 :breakpoint=820 show-if-above").classes("p-0")
    with drawer, ui.element("nav").classes("side").props('aria-label="Pages and chats"'):
        ui.html(f'<a class="brand" href="/">{theme.MARK}Chapeta</a>', sanitize=False)
        _link("/", "New chat", "edit_square", path == "/")
        for page in PAGES:
            if page.icon:
                _link(page.path, page.title, page.icon, page.path == path)
        with ui.row(wrap=False).classes("side-title items-center"):
            ui.label("Chats")
            ui.element("div").classes("spread")
            ui.element("div").mark("folders")
        ui.element("div").classes("side-chats").mark("chats")
    with ui.header(elevated=False).classes("lt-md q-py-xs"), ui.row(wrap=False).classes("items-center"):
        ui.button(icon="menu", on_click=drawer.toggle).props('flat dense aria-label="Menu"').classes("text-current")
        ui.label(title).classes("text-weight-medium ellipsis")
    with ui.column().classes("w-full gap-0 items-stretch") as content:
        yield content


async def send_frame() -> None:
    """Lets the browser have what is built so far: it loads its scripts while the rest, which follows, is made."""
    background_tasks.create(_connection(ui.context.client), name="connection of a page")
    await asyncio.sleep(SENDING_S)


async def _connection(client: Client) -> None:
    """Waiting for a page's connection is what makes NiceGUI send the page; see `nicegui.page`."""
    with contextlib.suppress(ClientConnectionTimeout):
        await client.connected(timeout=CONNECTING_S)


async def list_chats(services: Services, here: str = "") -> None:
    """Fills the side with the pinned and the latest chats, marks the one that is open, and offers the folders."""
    from chapeta.web import palette  # pages do not wait for what it loads

    palette.offer(services)
    chats, folders = await asyncio.gather(
        thread(listed, services.database, Filter(), limit=RECENT), thread(services.chats.folders)
    )
    for place in ElementFilter(marker="chats"):
        place.clear()
        with place:
            for chat in chats:
                _chat_line(chat, chat.id == here)
            if len(chats) == RECENT:
                ui.link("All chats", CHATS).classes("chat-line muted")
    for place in ElementFilter(marker="folders"):
        place.clear()
        with place:
            _folders(folders)


def say(error: Exception | str, kind: str = "negative") -> None:
    """A short word on what has happened, on the page that the user looks at."""
    ui.notify(str(error), type=kind, position="top", multi_line=True, close_button="Close")  # type: ignore[arg-type]


def title(text: str, lead: str = "", term: str = "") -> None:
    """A page's head. term: of the glossary, for a question mark."""
    _headed("h1", text, term)
    if lead:
        ui.label(lead).classes("lead")


def heading(text: str, term: str = "") -> None:
    """The head of a part of a page, which an address can lead to (`#` and its first word in small letters)."""
    _headed("h2", text, term).props["id"] = text.split()[0].lower()


def _headed(tag: str, text: str, term: str) -> ui.row:
    with ui.row(wrap=False).classes("items-center gap-1") as row:
        ui.html(f"<{tag}>{html.escape(text)}</{tag}>", sanitize=False)
        if term:
            from chapeta.web.ask import ask  # not every page has one

            ask(term)
    return row


def _link(path: str, name: str, icon: str, here: bool) -> None:
    with ui.link(target=path).classes("nav here" if here else "nav") as link:
        ui.icon(icon)
        ui.label(name)
    if here:
        link.props('aria-current="page"')


def _chat_line(chat: Chat, here: bool) -> None:
    link = ui.link(target=f"/chat/{chat.id}").classes("chat-line here" if here else "chat-line")
    if here:
        link.props('aria-current="page"')
    with link:
        if chat.pinned:
            ui.icon("push_pin").classes("pin").props('aria-label="Pinned"')
        ui.label(chat.title or "New chat").classes("inline")


def _folders(folders: list[tuple[str, int]]) -> None:
    """A small menu that leads to the chats of a folder; what is in it is made when it opens."""
    if not folders:
        return
    button = ui.button(icon="folder_open", color=None).props('flat dense round size=sm aria-label="Folders"')
    with button.classes("muted"):
        menu = ui.menu().props("role=menu")

    def fill() -> None:
        with menu:
            for name, count in [] if menu.default_slot.children else folders:
                go = partial(ui.navigate.to, f"{CHATS}?folder={quote(name)}")
                ui.menu_item(f"{name} ({count:,})", go).props("role=menuitem")

    menu.on("before-show", fill, [])

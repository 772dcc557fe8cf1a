"""Search: titles and everything that was said, as it is typed."""

from __future__ import annotations

import html

from nicegui import ui

from chapeta.chat.search import Hit, search
from chapeta.errors import ChapetaError
from chapeta.web import words
from chapeta.web.frame import frame, list_chats, say, title
from chapeta.web.services import Services, thread

MOST_HITS = 50


async def show(services: Services) -> None:
    with frame("Search", "/search"), ui.element("main").classes("page"):
        title("Search")
        box = ui.input(placeholder="Words in titles and messages").props(
            'outlined autofocus clearable aria-label="Search chats"'
        )
        box.classes("w-full")
        place = ui.element("div").classes("w-full").props('role="status"')

        async def draw() -> None:
            wanted = box.value or ""
            try:
                hits = await thread(search, services.database, wanted, limit=MOST_HITS)
            except ChapetaError as error:
                say(error)
                return
            if wanted != (box.value or ""):
                return  # more was typed meanwhile
            place.clear()
            with place:
                for hit in hits:
                    _hit(hit)
                if wanted.strip() and not hits:
                    ui.label(f"No chat has all the words of “{wanted[:80]}”.").classes("muted")

        box.props("debounce=150").on_value_change(draw)
    await list_chats(services)


def _hit(hit: Hit) -> None:
    with ui.link(target=f"/chat/{hit.chat_id}").classes("term"):
        with ui.row().classes("items-baseline gap-2"):
            ui.label(hit.title or "New chat").classes("text-weight-medium")
            ui.label(words.when(hit.created_at)).classes("small muted")
        marked = html.escape(hit.snippet).replace("\x02", "<mark>").replace("\x03", "</mark>")
        ui.html(marked, sanitize=False).classes("small muted")

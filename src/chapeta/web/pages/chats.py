"""Chats: all of them, searched, filtered, put in order; and the way in and out for those of other programs."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import partial
from urllib.parse import quote, urlencode

from nicegui import ui

from chapeta.chat.export import FORMATS
from chapeta.chat.listing import Filter
from chapeta.chat.search import END, MARK, Hit, search
from chapeta.errors import ChapetaError
from chapeta.web import words
from chapeta.web.chat_list import ChatList
from chapeta.web.exports import FORMS, download
from chapeta.web.frame import CHATS, frame, list_chats, say, title
from chapeta.web.import_card import ImportCard
from chapeta.web.services import Services, thread

MOST_HITS = 50
KINDS = {"all": "All", "pinned": "Pinned", "deleted": "Deleted"}
NO_FOLDER = "In no folder"
DELETED_HITS = "These chats are deleted. Empty the search to choose them in the list and bring them back."


async def show(services: Services) -> None:
    with frame("Chats", CHATS), ui.element("main").classes("page"):
        page = Chats(services)
        await page.draw()
    await list_chats(services)


class Chats:
    """The open page. What is looked for also stands in its address, so that the way back from a chat leads here again."""

    def __init__(self, services: Services) -> None:
        self._services = services
        asked = ui.context.client.request.query_params
        kind = asked.get("kind", "")
        with ui.row().classes("full-width items-center").style("gap: 8px"):
            title("Chats")
            ui.element("div").classes("spread")
            self._draw_ways()
        self._import = ImportCard(services, self._imported)
        self._import.card.set_visibility(False)
        self._box = ui.input(value=asked.get("q", ""), placeholder="Words in titles and messages")
        self._box.props('outlined clearable debounce=150 aria-label="Search chats"').classes("full-width")
        with self._box.add_slot("prepend"):
            ui.icon("search")
        self._filters = ui.row().classes("full-width chat-filters")
        with self._filters:
            self._kind = ui.toggle(KINDS, value=kind if kind in KINDS else "all")
            self._kind.props("no-caps unelevated dense toggle-color=primary padding='2px 12px'")
            self._folder = _select("Folder", asked.get("folder"))
            self._tag = _select("Tag", asked.get("tag"))
        with ui.element("div").classes("full-width").props('role="status"'):
            self._about_hits = ui.label().classes("muted")
            self._hits = ui.html(
                "", sanitize=False
            )  # all in one: as one element each, the page would need longer than the search
        self._place = ui.element("div").classes("full-width column no-wrap").style("gap: 8px")
        with self._place:
            self._list = ChatList(services, self._offer)

    async def draw(self) -> None:
        await self._offer()
        self._box.on_value_change(self._look)
        for choice in (self._kind, self._folder, self._tag):
            choice.on_value_change(self._filter)
        await self._look()

    def _draw_ways(self) -> None:
        """In and out."""
        ui.button("Import", icon="upload", on_click=self._toggle_import, color=None).props("flat no-caps dense")
        export = ui.button("Export all", icon="download", color=None).props("flat no-caps dense")
        with export, ui.menu().props("role=menu"):
            for form in FORMATS:
                name = f"{FORMS[form]} (a ZIP)" if form == "md" else FORMS[form]
                ui.menu_item(name, partial(download, self._services, form)).props("role=menuitem")

    def _toggle_import(self) -> None:
        self._import.card.set_visibility(not self._import.card.visible)

    async def _imported(self) -> None:
        await self._offer()
        await self._look()
        await list_chats(self._services)

    async def _offer(self) -> None:
        """The folders and tags that there are."""
        folders, tags = await thread(self._services.chats.folders), await thread(self._services.chats.tags)
        _options(self._folder, {"": NO_FOLDER} | {name: f"{name} ({count:,})" for name, count in folders})
        _options(self._tag, {name: f"{name} ({count:,})" for name, count in tags})

    async def _filter(self) -> None:
        self._list.forget()  # nothing stays chosen out of sight
        await self._look()

    async def _look(self) -> None:
        """What fits the filters; with words, where they stand in it."""
        wanted = (self._box.value or "").strip()
        self._keep_address(wanted)
        if wanted:
            await self._search(wanted)
        else:
            self._show_hits([], "")
            self._place.set_visibility(True)
            await self._list.show(self._wanted())

    def _wanted(self) -> Filter:
        kind = self._kind.value
        return Filter(self._folder.value, self._tag.value, True if kind == "pinned" else None, kind == "deleted")

    async def _search(self, wanted: str) -> None:
        try:
            among = self._wanted()
            hits = await thread(search, self._services.database, wanted, limit=MOST_HITS, among=among)
        except ChapetaError as error:
            self._show_hits([], "")
            say(error)
            return
        if (wanted, among) != ((self._box.value or "").strip(), self._wanted()):
            return  # more was typed or chosen meanwhile
        about = DELETED_HITS if among.deleted else ""
        if not hits:
            where = "chat" if among == Filter() else "chat that fits these filters"
            about = f"No {where} has all the words of “{wanted[:80]}”."
        self._place.set_visibility(False)  # at once with the hits: one change of the page, not two
        self._show_hits([_hit(hit, not among.deleted) for hit in hits], about)

    def _show_hits(self, hits: Sequence[str], about: str) -> None:
        self._about_hits.set_text(about)
        self._hits.set_content("".join(hits))

    def _keep_address(self, wanted: str) -> None:
        kind = None if self._kind.value == "all" else self._kind.value
        given = {"q": wanted or None, "kind": kind, "folder": self._folder.value, "tag": self._tag.value}
        kept = {name: value for name, value in given.items() if value is not None}
        ui.navigate.history.replace(f"{CHATS}?{urlencode(kept)}" if kept else CHATS)


def _select(label: str, value: str | None) -> ui.select:
    """A filter; None is all. What the address asks for can be chosen before it is known to be there."""
    select = ui.select({} if value is None else {value: value or NO_FOLDER}, label=label, value=value)
    select.props("outlined dense options-dense clearable").style("flex: 1 1 130px; max-width: 230px")
    return select


def _options(select: ui.select, found: dict[str, str]) -> None:
    """New options, among them what is chosen, even where nothing has it any more."""
    if select.value is not None:
        found.setdefault(select.value, select.value)
    select.set_options(found)


def _hit(hit: Hit, opens: bool) -> str:
    """HTML of a link to it, if it can be opened; texts are untrusted, and escaped."""
    marked = html.escape(hit.snippet).replace(MARK, "<mark>").replace(END, "</mark>")
    turn = f"?turn={quote(hit.turn_id)}" if hit.turn_id else ""
    begin, end = (
        (f'<a class="term" href="/chat/{quote(hit.chat_id)}{turn}">', "</a>")
        if opens
        else ('<div class="term">', "</div>")
    )
    return (
        f'{begin}<div class="row items-baseline" style="gap: 8px">'
        f'<div class="text-weight-medium">{html.escape(hit.title or "New chat")}</div>'
        f'<div class="small muted">{html.escape(words.when(hit.created_at))}</div></div>'
        f'<div class="small muted">{marked}</div>{end}'
    )

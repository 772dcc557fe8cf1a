"""The list of chats with boxes to choose several, and what is done to those that are chosen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from nicegui import ui

from chapeta.chat import many
from chapeta.chat.export import FORMATS
from chapeta.chat.listing import Filter, count, found_by_id, ids, listed
from chapeta.chat.types import Chat
from chapeta.errors import ChapetaError
from chapeta.web import chat_dialogs, words
from chapeta.web.exports import FORMS, download
from chapeta.web.frame import list_chats, say
from chapeta.web.labels import labelled
from chapeta.web.services import Services, thread
from chapeta.web.undo import offer_undo

PAGE = 50
MOST_DRAWN_AGAIN = 500


class ChatList:
    """Draws the chats of a filter page by page. `after_change`: what else shows folders and tags is drawn anew by it."""

    def __init__(self, services: Services, after_change: Callable[[], Awaitable[None]]) -> None:
        self._services = services
        self._after_change = after_change
        self._wanted = Filter()
        self._shown: list[Chat] = []
        self._total = 0
        self._chosen: dict[str, None] = {}  # ids, in the order in which they were chosen
        self._boxes: dict[str, ui.checkbox] = {}
        self._content = ui.context.client.content
        self._bar = ui.element("div").classes("chat-chosen").props('role="toolbar" aria-label="Chosen chats"')
        self._told = ui.label().classes("small muted").props('role="status"')
        self._lines = ui.element("div").classes("chat-rows").props('role="list"')
        self._more = ui.button("More", on_click=self.more, color=None).props("outline no-caps").classes("self-center")

    async def show(self, wanted: Filter, limit: int = PAGE) -> None:
        """The first chats that fit, in place of what was shown; what is shown already stays as it is."""
        self._total = await thread(count, self._services.database, wanted)
        found = await thread(listed, self._services.database, wanted, None, limit)
        if (wanted, found) != (self._wanted, self._shown):
            self._wanted, self._shown = wanted, []
            self._boxes.clear()
            self._lines.clear()
            self._draw(found)
        self._tell()
        self._draw_bar()

    async def more(self) -> None:
        """The next ones, below those that are shown."""
        self._more.disable()  # a second click meanwhile would bring the same ones again
        last = self._shown[-1] if self._shown else None
        found = await thread(listed, self._services.database, self._wanted, last, PAGE)
        self._draw(found)
        self._total = self._total if found else len(self._shown)
        self._tell()
        self._more.enable()

    def forget(self) -> None:
        """Nothing is chosen any more."""
        self._chosen.clear()
        for box in self._boxes.values():
            box.value = False
        self._draw_bar()

    def _draw(self, found: list[Chat]) -> None:
        with self._lines:
            for chat in found:
                self._line(chat)
        self._shown += found

    def _tell(self) -> None:
        """How many there are, and whether there are more."""
        shown = len(self._shown)
        self._told.text = told(self._wanted, shown, self._total)
        self._more.set_visibility(0 < shown < self._total)

    def _line(self, chat: Chat) -> None:
        title = chat.title or "New chat"
        with ui.element("div").classes("chat-row").props('role="listitem"'):
            box = ui.checkbox(value=chat.id in self._chosen).props("dense")
            labelled(box, f"Choose {title}")
            box.on_value_change(lambda event: self._choose(chat.id, bool(event.value)))
            self._boxes[chat.id] = box
            # what is deleted cannot be opened before it is brought back
            line = ui.element("div") if self._wanted.deleted else ui.link(target=f"/chat/{chat.id}")
            with line.classes("chat-row-text"):
                with ui.element("div").classes("ellipsis"):
                    if chat.pinned:
                        ui.icon("push_pin").classes("pin").props('aria-label="Pinned"')
                    ui.label(title).classes("inline")
                ui.label(details(chat)).classes("small muted ellipsis")
            ui.label(words.when(chat.updated_at)).classes("small muted")

    def _choose(self, chat_id: str, on: bool) -> None:
        before = len(self._chosen)
        if on:
            self._chosen[chat_id] = None
        else:
            self._chosen.pop(chat_id, None)
        if len(self._chosen) != before:
            self._draw_bar()

    async def _choose_all(self) -> None:
        self._chosen = dict.fromkeys(await thread(ids, self._services.database, self._wanted))
        for box in self._boxes.values():
            box.value = True
        self._draw_bar()

    def _draw_bar(self) -> None:
        self._bar.clear()
        self._bar.set_visibility(bool(self._chosen))
        if not self._chosen:
            return
        with self._bar:
            ui.label(f"{len(self._chosen):,} chosen").classes("text-weight-medium").props('role="status"')
            if len(self._chosen) < self._total:
                self._button(f"Choose all {self._total:,}", "", self._choose_all)
            ui.element("div").classes("spread")
            if self._wanted.deleted:
                self._button("Bring back", "restore_from_trash", self._bring_back)
            else:
                self._acts()
            close = ui.button(icon="close", on_click=self.forget, color=None)
            close.props('flat dense round aria-label="Choose none"')

    def _acts(self) -> None:
        self._button("Folder…", "folder_open", self._move)
        self._button("Tags…", "sell", self._tag)
        self._button("Pin", "push_pin", lambda: self._pin(True))
        self._button("Unpin", "", lambda: self._pin(False))
        export = ui.button("Export", icon="download", color=None).props('flat dense no-caps aria-label="Export"')
        with export, ui.menu().props("role=menu"):
            for form in FORMATS:
                ui.menu_item(FORMS[form], self._acting(partial(self._export, form))).props("role=menuitem")
        self._button("Delete", "delete_outline", self._delete)

    def _button(self, label: str, icon: str, act: Callable[[], Awaitable[None]]) -> None:
        button = ui.button(label, icon=icon or None, on_click=self._acting(act), color=None)
        labelled(button, label).props("flat dense no-caps")

    def _acting(self, act: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """An act of a button that may be gone, with the bar, before the act ends."""

        async def acted() -> None:
            with self._content:
                try:
                    await act()
                except ChapetaError as error:
                    say(error)

        return acted

    async def _move(self) -> None:
        known = [name for name, _ in await thread(self._services.chats.folders)]
        folder = await chat_dialogs.ask_folder(known)
        if folder is not None:
            await self._do(many.move, folder)

    async def _tag(self) -> None:
        known = [name for name, _ in await thread(self._services.chats.tags)]
        found = await thread(found_by_id, self._services.database, list(self._chosen))
        common = set.intersection(*(set(chat.tags) for chat in found.values())) if found else set()
        tags = await chat_dialogs.ask_tags(known, sorted(common))
        if tags is not None:
            await self._do(many.retag, tags.add, tags.remove)

    async def _pin(self, pinned: bool) -> None:
        await self._do(many.pin, pinned)

    async def _export(self, form: Any) -> None:
        await download(self._services, form, list(self._chosen))

    async def _delete(self) -> None:
        gone = list(self._chosen)
        done = await self._do(many.delete)
        self.forget()

        async def undo() -> None:
            await thread(many.undelete, self._services.database, gone)
            await self._changed()

        chats = "1 chat is" if done == 1 else f"{done:,} chats are"
        offer_undo(f"{chats} deleted. Deleted chats are kept for 30 days.", undo)

    async def _bring_back(self) -> None:
        done = await self._do(many.undelete)
        self.forget()
        say("1 chat is back." if done == 1 else f"{done:,} chats are back.", "positive")

    async def _do(self, act: Callable[..., int], *given: Any) -> int:
        """Does something to all that are chosen, then shows them as they are now."""
        done = await thread(act, self._services.database, list(self._chosen), *given)
        await self._changed()
        return done

    async def _changed(self) -> None:
        await self.show(self._wanted, min(max(len(self._shown), PAGE), MOST_DRAWN_AGAIN))
        await self._after_change()
        await list_chats(self._services)


def details(chat: Chat) -> str:
    """A chat's folder, tags and model on one line."""
    tags = " ".join(f"#{tag}" for tag in chat.tags)
    return " · ".join(part for part in (chat.folder, tags, chat.model) if part)


def told(wanted: Filter, shown: int, total: int) -> str:
    """How many chats there are, or why there are none."""
    if total:
        chats = "1 chat" if total == 1 else f"{total:,} chats"
        more = f"; {shown:,} of them shown" if shown < total else ""
        return f"{chats}{more}" + (" that can be brought back for 30 days" if wanted.deleted else "")
    if wanted.deleted:
        return "No deleted chats. What is deleted is kept here for 30 days."
    if wanted == Filter():
        return "No chats yet. Write the first message, or import your chats from ChatGPT or Claude."
    return "No chats fit these filters."

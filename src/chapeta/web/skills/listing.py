"""The library as a list: what each skill is for, what is odd about it, and how it is used, switched in place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from nicegui import events, ui

from chapeta.chat.tokens import Estimate
from chapeta.errors import ChapetaError
from chapeta.skills import library
from chapeta.skills.library import Deleted, Entry
from chapeta.web import words
from chapeta.web.frame import say
from chapeta.web.labels import labelled
from chapeta.web.services import thread

Again = Callable[[], Awaitable[None]]
USES = {"off": "Off", "hand": "By hand", "model": "By the model", "always": "Always on"}
ABOUT = (
    "By hand: you pick it, or begin a message with /name. By the model: it may also choose it by the description. "
    "Always on: it goes with every message."
)
PLACES = {"mine": "", "user": "shared with other programs, in your home folder", "project": "of the project"}


class Library:
    """The list on a page."""

    def __init__(self) -> None:
        self._place = ui.column().classes("w-full gap-3")

    async def draw(self) -> None:
        with self._place:
            try:
                entries = await thread(library.entries, count=Estimate())
                gone = await thread(library.deleted)
            except ChapetaError as error:
                self._place.clear()
                ui.label(str(error)).classes("notice bad")
                return
            self._place.clear()
            if not entries:
                ui.label("No Skills yet. Write one, or bring one in.").classes("muted")
            else:
                ui.label(ABOUT).classes("small muted")
                with ui.element("div").classes("card").style("padding: 4px 8px"):
                    for entry in entries:
                        self._line(entry)
            _deleted(gone, self.draw)

    def _line(self, entry: Entry) -> None:
        with labelled(ui.element("div").classes("provider").props("role=group"), entry.name):
            with ui.column().classes("gap-0").style("flex: 1 1 300px; min-width: 0"):
                with ui.row().classes("gap-2 items-center"):
                    ui.link(f"/{entry.name}", _address(entry)).classes("text-weight-medium").style(
                        "overflow-wrap: anywhere"
                    )
                    if entry.tokens is not None:
                        ui.label(f"about {words.tokens(entry.tokens)} tokens").classes("small muted")
                ui.label(entry.description).classes("small").style("overflow-wrap: anywhere")
                remarks(entry)
            if not entry.fault and not entry.needs_trust and entry.shadowed_by is None:
                switch(entry, self.draw)


def switch(entry: Entry, again: Again) -> None:
    """How a skill is used, to choose from."""
    options = {use: text for use, text in USES.items() if entry.by_hand or use != "hand"}
    box = ui.toggle(options, value=entry.use if entry.use in options else "off")
    labelled(box, f"How {entry.name} is used").props("no-caps unelevated dense toggle-color=primary").classes("switch")

    async def change(event: events.ValueChangeEventArguments[Any]) -> None:
        try:
            await thread(library.use, entry, event.value)
        except ChapetaError as error:
            say(error)
            await again()
            return
        say(f"/{entry.name}: {USES[event.value].lower()}.", "positive")

    box.on_value_change(change)


def remarks(entry: Entry) -> None:
    """Where a skill is from, and what is wrong or odd about it."""
    if entry.fault:
        ui.label(f"It cannot be used: {entry.fault}").classes("small bad")
    if entry.needs_trust:
        ui.label("It is not trusted, or has changed since: see the project folders below.").classes("small warn")
    if entry.shadowed_by is not None:
        ui.label(f"{entry.shadowed_by} goes before it.").classes("small warn")
    for text in entry.warnings[:3]:
        ui.label(text).classes("small warn")
    place = PLACES[entry.place] + (f" {entry.project}" if entry.project else "")
    if place:
        ui.label(place).classes("small muted").style("overflow-wrap: anywhere")


def _deleted(gone: Sequence[Deleted], again: Again) -> None:
    if not gone:
        return
    with ui.expansion(f"Deleted ({len(gone)})").classes("w-full"):
        for one in gone:
            with ui.row().classes("items-center gap-2"):
                ui.label(f"/{one.name}")
                ui.label(words.when(one.deleted_s) if one.deleted_s is not None else "its versions only").classes(
                    "small muted"
                )
                back = ui.button("Bring back", on_click=partial(_undelete, one.name, again))
                labelled(back, f"Bring back {one.name}").props("flat dense no-caps")


async def _undelete(name: str, again: Again) -> None:
    try:
        await thread(library.undelete, name)
    except ChapetaError as error:
        say(error)
        return
    say(f"/{name} is back.", "positive")
    await again()


def _address(entry: Entry) -> str:
    folder = "" if entry.place == "mine" else f"?folder={quote(str(entry.folder), safe='')}"
    return f"/skills/{quote(entry.name, safe='')}{folder}"

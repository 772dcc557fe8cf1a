"""The files that go with the next message: a chip for each, with what it takes and how much of it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import replace

from nicegui import events, ui

from chapeta.chat.types import Attachment, Mode
from chapeta.types import Price
from chapeta.web.labels import labelled
from chapeta.web.talk.files import sizes


class Chips:
    """Belongs to a composer. Ids of files that are not sent yet begin with `new-`."""

    def __init__(self) -> None:
        self.files: list[Attachment] = []
        self._taken: list[Attachment] = []
        self._made = 0
        self._price: Price | None = None
        self._row = ui.row().classes("chips").props('role="list" aria-label="Files of this message"')

    def add(self, one: Attachment, price: Price | None) -> None:
        """One more file; it takes the place of one of the same name."""
        self._made += 1
        others = [other for other in self.files if other.name != one.name]
        self.files = [*others, replace(one, id=f"new-{self._made}")]
        self.draw(price)

    def take(self) -> list[Attachment]:
        """The files, for sending; they are remembered in case that fails."""
        self._taken, self.files = self.files, []
        self.draw(self._price)
        return self._taken

    def give_back(self) -> None:
        """What was taken last is here again."""
        self._taken, self.files = [], [*self._taken, *self.files]
        self.draw(self._price)

    def in_parts(self, ids: Collection[str]) -> None:
        """Only the relevant parts of these documents are to be sent."""
        self.files = [replace(one, mode="relevant") if one.id in ids else one for one in self.files]
        self.draw(self._price)

    def draw(self, price: Price | None) -> None:
        """Everything anew, at a price."""
        self._price = price
        self._row.clear()
        with self._row:
            for one in self.files:
                with ui.element("div").classes("chip").props('role="listitem"'):
                    self._draw(one)

    def _draw(self, one: Attachment) -> None:
        options = sizes(one, self._price)
        if one.mode == "image":
            _thumbnail(one.name)
        else:
            ui.icon("description").classes("muted")
        ui.label(one.name).classes("ellipsis chip-name")
        if one.mode == "image":
            ui.label(options["image"]).classes("small muted")
        else:
            choice = ui.select(options, value=one.mode).classes("small")
            labelled(choice, f"How much of {one.name} is sent").props("dense borderless options-dense").on_value_change(
                self._choosing(one.id)
            )
        close = ui.button(icon="close", on_click=lambda: self._remove(one.id), color=None).classes("muted")
        labelled(close, f"Remove {one.name}").props("flat dense round size=xs")

    def _choosing(self, id: str) -> Callable[[events.ValueChangeEventArguments[Mode]], None]:
        def choose(event: events.ValueChangeEventArguments[Mode]) -> None:
            self.files = [replace(one, mode=event.value) if one.id == id else one for one in self.files]

        return choose

    def _remove(self, id: str) -> None:
        self.files = [one for one in self.files if one.id != id]
        self.draw(self._price)


def _thumbnail(name: str) -> None:
    """The browser still has the file that it has sent; composer.js knows its address there."""
    picture = ui.element("img").classes("thumb").props('alt=""')
    picture.props[":src"] = f"window.chapetaComposer.pictures[{json.dumps(name)}]"

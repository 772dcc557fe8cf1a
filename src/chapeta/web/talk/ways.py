"""What helps when the context window is nearly full: shown above the box, before anything overflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

from chapeta.chat.request import Draft
from chapeta.chat.window import Meter, Way, ways_out
from chapeta.errors import ChapetaError
from chapeta.web import words
from chapeta.web.frame import say
from chapeta.web.talk import send
from chapeta.web.talk.picker import pick_model

if TYPE_CHECKING:
    from chapeta.web.talk.view import Talk


def draw_ways(talk: Talk, meter: Meter, draft: Draft) -> None:
    """A line with buttons, nothing while there is space."""
    found = [way for way in ways_out(meter, draft) if way.kind in ("compact", "drop", "larger")]
    if not found:
        return
    with ui.element("div").classes("notice").props('role="status"'), ui.row().classes("items-center gap-2"):
        full = meter.over > 0
        ui.label("The context window is full." if full else "The context window is nearly full.").classes(
            "bad" if full else ""
        )
        for way in found:
            _button(talk, way)


def _button(talk: Talk, way: Way) -> None:
    async def act() -> None:
        if way.kind == "larger":
            await pick_model(talk.choose_model)
        elif way.kind == "drop":
            talk.dropped = frozenset(way.turn_ids)
            await talk.head.draw()
        elif talk.chat is not None:
            button.disable()
            try:
                if await send.compact(talk.services, talk.chat, talk.model):
                    ui.notify("The older messages are summed up; they stay where they are.", position="top")
                else:
                    say("There is nothing to gain by summing up.", "info")
            except ChapetaError as error:
                say(error)
            await talk.draw()

    names = {
        "compact": f"Sum older messages up (frees about {words.tokens(way.tokens)})",
        "drop": f"Leave the {len(way.turn_ids)} oldest messages out",
        "larger": f"A model with {words.tokens(way.tokens)} or more",
    }
    button = ui.button(names[way.kind], on_click=act).props("flat dense no-caps")

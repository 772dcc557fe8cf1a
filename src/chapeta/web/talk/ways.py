"""What helps when the context window is nearly full: shown above the box, before anything overflows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nicegui import ui

from chapeta.chat.in_parts import send_in_parts
from chapeta.chat.request import Draft
from chapeta.chat.window import Full, Meter, Way, ways_out
from chapeta.errors import ChapetaError
from chapeta.web import words
from chapeta.web.ask import ask
from chapeta.web.frame import say
from chapeta.web.services import thread
from chapeta.web.talk import send
from chapeta.web.talk.picker import pick_model

if TYPE_CHECKING:
    from chapeta.web.talk.view import Talk

Done = Callable[[], object]


def draw_ways(talk: Talk, meter: Meter, draft: Draft) -> None:
    """A line with buttons, nothing while there is space."""
    found = ways_out(meter, draft)
    if not found:
        return
    room = next((way.room for way in found if way.kind == "room"), None)
    if room:
        text = f"The context window is nearly full; the answer has room for {words.tokens(room)} tokens."
    else:
        text = "The context window is full." if meter.over else "The context window is nearly full."
    _draw(talk, text, found, bad=meter.over > 0 and not room, done=_nothing)


def draw_full(talk: Talk, error: Full, done: Done) -> None:
    """Why a message was not sent, and what makes it fit. `done`: once one of the ways was taken."""
    _draw(talk, error.message, error.ways, bad=True, done=done)


def _draw(talk: Talk, text: str, found: tuple[Way, ...], *, bad: bool, done: Done) -> None:
    with ui.element("div").classes("notice bad" if bad else "notice").props('role="status"'):
        with ui.row(wrap=False).classes("items-center gap-1"):
            ui.label(text)
            ask("context-window")
        with ui.row().classes("gap-1"):
            for way in found:
                if way.kind != "room":  # is taken by itself
                    _button(talk, way, done)


def _button(talk: Talk, way: Way, done: Done) -> None:
    async def act() -> None:
        button.disable()
        with talk.composer.place:  # the button itself is gone once the head is drawn anew
            try:
                await _take(talk, way)
            except ChapetaError as error:
                button.enable()
                talk.composer.refuse(error)
                return
        done()

    names = {
        "relevant": f"Send only the relevant parts of {_documents(len(way.attachment_ids))}",
        "compact": f"Sum older messages up (frees about {words.tokens(way.tokens)})",
        "drop": f"Leave the {len(way.turn_ids)} oldest messages out",
        "larger": f"A model with {words.tokens(way.tokens)} or more",
    }
    button = ui.button(names[way.kind], on_click=act, color=None).props("flat dense no-caps")
    if not way.fits:
        with button:
            ui.tooltip("Helps, but is not enough by itself.")


async def _take(talk: Talk, way: Way) -> None:
    """Goes one way; the page shows what came of it."""
    if way.kind == "larger":
        await pick_model(talk.choose_model)
    elif way.kind == "drop":
        talk.dropped = frozenset((*talk.dropped, *way.turn_ids))
        await talk.head.draw()
    elif way.kind == "relevant":
        talk.composer.send_in_parts(way.attachment_ids)
        await thread(send_in_parts, talk.services.database, way.attachment_ids)
        await talk.head.draw()
    elif talk.chat is not None:
        gained = await send.compact(talk.services, talk.chat, talk.model)
        say(
            "The older messages are summed up; they stay where they are."
            if gained
            else "There is nothing to gain by summing up.",
            "info",
        )
        await talk.draw()


def _documents(count: int) -> str:
    return "the document" if count == 1 else f"{count} documents"


def _nothing() -> None:
    pass

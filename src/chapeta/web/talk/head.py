"""Above a chat: who answers, with which skill, how full the context window is, what the chat has cost."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from nicegui import ui

from chapeta.chat.request import Draft
from chapeta.chat.types import Spent
from chapeta.chat.window import Meter, default_room, measure
from chapeta.errors import ChapetaError
from chapeta.web import choices, words
from chapeta.web.ask import ask
from chapeta.web.labels import labelled
from chapeta.web.services import thread
from chapeta.web.talk import send
from chapeta.web.talk.chat_menu import draw_menu
from chapeta.web.talk.picker import pick_model
from chapeta.web.talk.skill_picker import pick_skill
from chapeta.web.talk.ways import draw_ways

if TYPE_CHECKING:
    from chapeta.web.talk.view import Talk

DAY_S = 86_400
NONE = Spent()
MORE = "expand_more"
COLOURS = {
    "skill": "#7a5ea8", "summary": "#8a8478", "history": "var(--c-accent)", "documents": "#b9770e", "images": "#b9770e",
    "question": "#2f7d32", "room": "color-mix(in srgb, var(--c-text) 18%, transparent)",
}  # fmt: skip


class Head:
    """What can be pressed stays where it is; what it says, and the figures, follow the chat."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.ways: ui.element
        with ui.element("div").classes("talk-head").props('role="toolbar" aria-label="This chat"'):
            self._model, self._model_name = _picker(MORE, lambda: pick_model(talk.choose_model))
            self._skill, self._skill_name = _picker("auto_stories", lambda: pick_skill(talk.choose_skill, talk.skill))
            ask("context-window")
            ui.element("div").classes("spread")
            self._figures = ui.element("div").classes("talk-figures")
            self._menu = ui.element("div")

    async def draw(self, measure: bool = True) -> None:
        """measure: with how full the window is and what was spent, which takes a while in a long chat."""
        talk = self._talk
        measured, (spent, today) = (await self._measure(), await self._spent()) if measure else (None, (NONE, NONE))
        self._model_name.text = talk.model
        labelled(self._model, f"Model: {talk.model}")
        self._skill_name.text = f"/{talk.skill}" if talk.skill else "No skill"
        self._skill_name.classes(remove="muted") if talk.skill else self._skill_name.classes("muted")
        self._figures.clear()
        with self._figures:
            if measured is not None:
                draw_meter(measured[0])
            if spent.calls:
                draw_cost(spent, today)
        if talk.chat is not None and not self._menu.default_slot.children:
            with self._menu:
                draw_menu(talk)
        self.ways.clear()
        if measured is not None:
            with self.ways:
                draw_ways(talk, *measured)

    async def _spent(self) -> tuple[Spent, Spent]:
        """By this chat, and today by all of them."""
        chats, chat = self._talk.services.chats, self._talk.chat
        spent = await thread(chats.spent, chat.id) if chat else NONE
        return spent, await thread(chats.spent_since, time.time() // DAY_S * DAY_S) if spent.calls else NONE

    async def _measure(self) -> tuple[Meter, Draft] | None:
        """How full the window is with what would be sent now; None where that cannot be told."""
        talk = self._talk
        if talk.chat is None or talk.chat.tip_id is None:
            return None
        try:
            made = await send.draft(talk.services, talk.chat, send.With(talk.model, talk.skill, talk.dropped))
            known = await thread(choices.find, talk.model)
        except ChapetaError:
            return None
        return measure(made, known.context_tokens, default_room(known.context_tokens)), made


def _picker(icon: str, pick: Callable[[], Awaitable[None]]) -> tuple[ui.button, ui.label]:
    """A button that shows what is chosen, and the label that says it."""
    with ui.button(on_click=pick, color=None).props("flat no-caps dense").classes("text-current q-px-sm") as button:
        if icon != MORE:
            ui.icon(icon).classes("muted q-mr-xs").style("font-size: 18px")
        name = ui.label().classes("ellipsis").style("max-width: 22em")
        if icon == MORE:
            ui.icon(icon).classes("muted")
    return button, name


def draw_cost(chat: Spent, today: Spent) -> None:
    """What the chat has cost; what all chats took today when it is pointed at. Days are UTC's, as on the page Usage."""
    with ui.label(cost(chat)).classes("small muted").props('tabindex="0"'), ui.tooltip(), ui.element("div"):
        for name, spent in (("This chat", chat), ("All chats today (UTC)", today)):
            tokens = f"{words.tokens(spent.tokens_in)} tokens in, {words.tokens(spent.tokens_out)} out"
            ui.label(f"{name}: {cost(spent)}, {tokens}")
        if unknown := max(chat.calls_of_unknown_cost, today.calls_of_unknown_cost):
            ui.label("Nobody says what some answers cost." if unknown > 1 else "Nobody says what one answer cost.")


def cost(spent: Spent) -> str:
    """What calls cost, as far as it is known; what is not known is never shown as nothing."""
    unknown = spent.calls_of_unknown_cost
    if not unknown:
        return words.usd(spent.usd)
    return f"{words.usd(spent.usd)} + {unknown:,} unknown" if spent.usd else words.usd(None)


def draw_meter(meter: Meter) -> None:
    """A bar of what fills the window, and its figures when it is pointed at."""
    limit = meter.limit
    about = "" if meter.exact else "about "
    with ui.element("div").classes("meter").props('tabindex="0"'):
        if limit:
            with ui.element("div").classes("meter-bar").props('aria-hidden="true"'):
                for name, colour in COLOURS.items():
                    share = min(1.0, getattr(meter, name) / limit)
                    if share:
                        ui.element("span").style(f"width: {share:.2%}; background: {colour}")
        shown = f"{about}{words.tokens(meter.used)}" + (f" of {words.tokens(limit)}" if limit else " tokens")
        ui.label(shown).classes("bad" if meter.over > 0 else "")
        with ui.tooltip(), ui.element("div"):
            for name in COLOURS:
                if getattr(meter, name):
                    ui.label(f"{name}: {about}{getattr(meter, name):,} tokens")
            ui.label("Counted by the model itself." if meter.exact else "Estimated; the provider counts for itself.")

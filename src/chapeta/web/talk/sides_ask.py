"""Who is to answer side by side, and what they are asked."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from nicegui import ui

from chapeta.chat.types import Turn
from chapeta.errors import ChapetaError
from chapeta.web import settings
from chapeta.web.frame import say
from chapeta.web.services import Services
from chapeta.web.talk import send
from chapeta.web.talk.composer import SENDS
from chapeta.web.talk.picker import pick_model
from chapeta.web.talk.send import With
from chapeta.web.talk.skill_picker import pick_skill

LEAST, MOST = 2, 4


class AskSides:
    """The columns with their pickers, and the box. Belongs to one page."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._hows = columns_from(ui.context.client.request.query_params.multi_items(), settings.read().model)
        self._columns = ui.element("div").classes("beside")
        self._draw()
        with ui.element("div").classes("composer"):
            self._box = ui.textarea(placeholder="Message to all of them").props(
                'autogrow borderless dense rows=2 input-style="max-height:40vh" aria-label="Message" autofocus'
            )
            self._box.classes("w-full")
            self._box.on("keydown.enter", self._send, js_handler=SENDS)
            with ui.element("div").classes("composer-row"):
                ui.element("div").classes("spread")
                self._button = ui.button(icon="arrow_upward", on_click=self._send)
                self._button.props('unelevated round dense aria-label="Send"')

    def _draw(self) -> None:
        self._columns.clear()
        with self._columns:
            for place, how in enumerate(self._hows):
                self._column(place, how)
            if len(self._hows) < MOST:
                add = ui.button("Add a column", icon="add", on_click=self._add, color=None)
                add.props("flat no-caps").classes("muted")

    def _column(self, place: int, how: With) -> None:
        async def model(chosen: str) -> None:
            self._change(place, replace(how, model=chosen))

        async def skill(chosen: str) -> None:
            self._change(place, replace(how, skill=chosen))

        number = f"Column {place + 1}"
        with ui.element("section").classes("card side-head").props(f'aria-label="{number}"'):
            with ui.row(wrap=False).classes("w-full items-center gap-1"):
                button = ui.button(on_click=lambda: pick_model(model), color=None)
                with button.props("flat no-caps no-wrap dense align=left").classes("text-current spread ellipsis"):
                    ui.label(how.model).classes("ellipsis")
                    ui.icon("expand_more").classes("muted")
                    ui.tooltip(f"Model: {how.model}")
                if len(self._hows) > LEAST:
                    close = ui.button(icon="close", on_click=lambda: self._remove(place), color=None)
                    close.props(f'flat dense round size=sm aria-label="Remove column {place + 1}"').classes("muted")
            with ui.button(on_click=lambda: pick_skill(skill, how.skill), color=None).props("flat no-caps dense"):
                ui.icon("auto_stories").classes("muted q-mr-xs").style("font-size: 18px")
                ui.label(f"/{how.skill}" if how.skill else "No skill").classes("" if how.skill else "muted")

    def _change(self, place: int, how: With) -> None:
        self._hows[place] = how
        self._draw()

    def _add(self) -> None:
        with self._columns:
            self._hows.append(self._hows[-1])
            self._draw()

    def _remove(self, place: int) -> None:
        with self._columns:
            del self._hows[place]
            self._draw()

    async def _send(self) -> None:
        text = self._box.value or ""
        if not text.strip():
            say("Write a message first.", "info")
            return
        self._button.props("loading")
        self._box.disable()
        try:
            asked = await send.ask_beside(self._services, text, self._hows)
        except ChapetaError as error:
            say(error)
            self._box.enable()
            self._button.props(remove="loading")
            return
        ui.navigate.to(f"/compare/{asked.question.id}")


def columns_from(query: list[tuple[str, str]], model: str) -> list[With]:
    """The columns that an address asks for (`address_of`), filled up with the model that is used otherwise."""
    models = [value for name, value in query if name == "model" and value][:MOST]
    skills = [value for name, value in query if name == "skill"]
    skills += [""] * (len(models) - len(skills))
    found = [With(one, skill) for one, skill in zip(models, skills, strict=False)]
    return [*found, *[With(model)] * (LEAST - len(found))]


def address_of(answers: tuple[Turn, ...]) -> str:
    """Where the same models and skills are asked something else."""
    query: list[tuple[str, str]] = []
    for turn in answers[-MOST:]:
        picked = turn.skill.partition(", ")[0] if turn.skill_by == "hand" else ""
        query += [("model", turn.model), ("skill", picked)]
    return f"/compare?{urlencode(query)}"

"""Answers to one question beside each other, while they come and afterwards, with what each of them took."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from nicegui import ui

from chapeta.chat.beside import Beside, beside, go_on
from chapeta.chat.live import Running
from chapeta.chat.types import Turn
from chapeta.errors import ChapetaError
from chapeta.web import words
from chapeta.web.components.answer import Answer, html_of
from chapeta.web.components.foot import Act, Foot
from chapeta.web.frame import say, title
from chapeta.web.services import Services, thread
from chapeta.web.talk import send
from chapeta.web.talk.coming import LOOK_S, Coming
from chapeta.web.talk.picker import pick_model
from chapeta.web.talk.prefer import prefer
from chapeta.web.talk.send import Asked, With
from chapeta.web.talk.sides_ask import address_of
from chapeta.web.talk.turns import copy, show_failure, speaker
from chapeta.web.talk.xray import show_xray

CHANGES_S = 1.0  # how often other tabs' changes are looked for


class Side:
    """One answer in a column of its own. It is drawn once; at its end its figures are."""

    def __init__(self, turn: Turn, running: Running | None, sides: Sides) -> None:
        self.turn = turn
        self._sides = sides
        with ui.element("article").classes("card side-answer").props(f'data-turn="{turn.id}" aria-label="Answer"'):
            with ui.element("header"):
                ui.label(turn.model).classes("text-weight-medium").style("overflow-wrap: anywhere")
                ui.label(speaker(turn)).classes("small muted")
            self._answer = Answer()
            self._end = ui.element("div").classes("side-end")
        self.coming = Coming(running, self._answer) if running is not None else None
        if running is None and turn.text:
            self._answer.set(turn.text)
        self._draw_end()

    def update(self, turn: Turn) -> None:
        """Draws the end anew, once the answer has one."""
        before, self.turn = self.turn, turn
        if turn.status != "streaming" and self.coming is not None:
            self.coming.end()
            self.coming = None
        if turn != before and self.coming is None:
            self._draw_end()

    def _draw_end(self) -> None:
        turn = self.turn
        self._end.clear()
        with self._end:
            if turn.status == "streaming":
                ui.element("div").classes("dots").props('role="status" aria-label="The answer is coming"')
                return
            show_failure(turn)
            with ui.element("dl").classes("figures"):
                for name, value in figures(turn):
                    with ui.element("dt"):
                        ui.label(name)
                    with ui.element("dd"):
                        ui.label(value)
            with ui.row().classes("items-center gap-1"):
                on = ui.button("Go on with this one", on_click=lambda: self._sides.go_on(turn), color=None)
                on.props("flat dense no-caps").style("color: var(--c-accent)")
                prefer_it = Act("thumb_up", "Prefer this one", lambda: self._sides.prefer(turn))
                sent = Act("data_object", "What was sent", lambda: self._sides.xray(turn))
                Foot([], "", [copy(turn.text), *([prefer_it] if turn.text else []), sent])


class Sides:
    """The columns of one question. Belongs to one page."""

    def __init__(self, services: Services, found: Beside) -> None:
        self._services = services
        self._found = found
        self._drawn: dict[str, Side] = {}
        self._seen = 0
        self._drawing = asyncio.Lock()

    async def open(self) -> None:
        """Builds the page."""
        title("Side by side")
        ui.label(self._found.question.text).classes("said side-question")
        self._columns = ui.element("div").classes("beside")
        with ui.row().classes("items-center gap-2"):
            self._stop = ui.button("Stop all", icon="stop", on_click=self.stop).props("unelevated no-caps")
            ask = ui.button("Ask them something else", icon="edit_square", color=None).props("flat no-caps")
            ask.on_click(lambda: ui.navigate.to(address_of(self._found.answers)))
            ui.button("One more model", icon="add", on_click=lambda: pick_model(self._one_more), color=None).props(
                "flat no-caps"
            )
            ui.button("The chat", icon="chat_bubble_outline", color=None).props(
                f'flat no-caps href="/chat/{self._found.chat.id}"'
            )
        self._look = ui.timer(LOOK_S, self._show_more, active=False)
        await self.draw()
        ui.timer(CHANGES_S, self._follow)

    async def draw(self) -> None:
        """What is shown follows the store; what has not changed is not touched."""
        async with self._drawing:
            services, before = self._services, self._found
            self._seen = services.live.changes(before.chat.id)
            self._found = await thread(beside, services.database, before.question.id)
            for turn in self._found.answers:
                await self._draw_one(turn)
            coming = any(side.coming for side in self._drawn.values())
            self._look.active = coming
            self._stop.set_visibility(coming)

    async def _draw_one(self, turn: Turn) -> None:
        running = self._services.live.of(turn.id) if turn.status == "streaming" else None
        if turn.status == "streaming" and running is None:  # it has ended since it was read
            turn = await thread(self._services.chats.turn, turn.id)
        if turn.id in self._drawn:
            self._drawn[turn.id].update(turn)
            return
        await thread(html_of, turn.text)  # is kept for the element, which would make it in the event loop
        with self._columns:
            self._drawn[turn.id] = Side(turn, running, self)

    async def stop(self) -> None:
        """Ends all answers that are coming."""
        coming = [side.coming.turn_id for side in self._drawn.values() if side.coming]
        await asyncio.gather(*(self._services.live.stop(turn_id) for turn_id in coming))
        await self.draw()

    async def go_on(self, turn: Turn) -> None:
        async def act() -> None:
            chat = await thread(go_on, self._services.chats, turn)
            self._services.live.changed(chat.id)
            ui.navigate.to(f"/chat/{chat.id}")

        await self._here(act)

    async def prefer(self, turn: Turn) -> None:
        await self._here(lambda: prefer(self._services, turn))

    async def xray(self, turn: Turn) -> None:
        async def send_on(model: str) -> None:
            await send.send_on(self._services, turn, model)
            await self._changed()

        async def choose() -> None:
            await self._here(lambda: pick_model(lambda model: self._here(lambda: send_on(model))))

        await self._here(lambda: show_xray(self._services, turn, choose))

    async def _one_more(self, model: str) -> None:
        async def act() -> None:
            await send.answer(self._services, Asked(self._found.chat, self._found.question, With(model)))
            await self._changed()

        await self._here(act)

    async def _changed(self) -> None:
        self._services.live.changed(self._found.chat.id)
        await self.draw()

    async def _show_more(self) -> None:
        """What has come since the last look; where an answer has ended, its figures."""
        ended = [side.coming.more() for side in self._drawn.values() if side.coming]
        if any(ended):
            await self.draw()

    async def _follow(self) -> None:
        if not self._drawing.locked() and self._seen != self._services.live.changes(self._found.chat.id):
            await self.draw()

    async def _here(self, act: Callable[[], Awaitable[None]]) -> None:
        """Runs an act where the page stays, whatever becomes of its button; what goes wrong is said."""
        with self._columns:
            try:
                await act()
            except ChapetaError as error:
                say(error)


def figures(turn: Turn) -> list[tuple[str, str]]:
    """What an answer took: cost, time, time to the first token, tokens; what nobody says is called unknown."""
    first = words.seconds(turn.first_token_ms) or "unknown"
    took = words.seconds(turn.latency_ms) or "unknown"
    read = "?" if turn.tokens_in is None else f"{turn.tokens_in:,}"
    written = "?" if turn.tokens_out is None else f"{turn.tokens_out:,}"
    cost = words.usd(turn.usd) if turn.usd is not None else "unknown"
    return [("Cost", cost), ("Time", took), ("First token", first), ("Tokens", f"{read} in, {written} out")]

"""The chat page's state and its one way of doing things: the store is changed, then what is shown is drawn from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec

from nicegui import ui

from chapeta.chat.live import Running
from chapeta.chat.types import Chat, Turn
from chapeta.errors import ChapetaError
from chapeta.web import settings
from chapeta.web.components.answer import Answer, html_of
from chapeta.web.frame import list_chats, say
from chapeta.web.services import Services, thread
from chapeta.web.talk import send, turns
from chapeta.web.talk.composer import Composer
from chapeta.web.talk.head import Head
from chapeta.web.talk.send import With
from chapeta.web.talk.xray import show_xray

Given = ParamSpec("Given")
FIRST = 30  # turns that are drawn at once; earlier ones when they are asked for
LOOK_S = 0.1  # how often what has come of an answer is shown
CHANGES_S = 1.0  # how often other tabs' changes are looked for


class Talk:
    """One open page. `chat` is None until the first message is sent."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.chat: Chat | None = None
        self.model = ui.context.client.request.query_params.get("model") or settings.read().model
        self.skill = ui.context.client.request.query_params.get("skill") or ""
        self.dropped: frozenset[str] = frozenset()  # turns that are not sent any more, by the user's choice
        self.shown: list[Turn] = []
        self._running: tuple[Running, Answer, int] | None = None
        self._seen = 0
        self._acts = turns.Acts(
            self._here(self._edit), self._here(self._again), self._here(self._switch), self._here(self._xray),
            self._here(self._example),
        )  # fmt: skip

    async def open(self, chat_id: str) -> None:
        """Builds the page."""
        with ui.element("div").classes("talk"):
            self.head = Head(self)
            with ui.element("main").classes("talk-body"):
                self._column = ui.element("div").classes("talk-column")
            with ui.element("div").classes("talk-foot"):
                self.head.ways = ui.element("div")
                self.composer = Composer(self)
        if chat_id:
            try:
                self.chat = await thread(self.services.chats.get, chat_id)
            except ChapetaError as error:
                with self._column:
                    turns.show_error({"message": error.message, "remedy": error.remedy})
                return
            self.model, self.skill = self.chat.model or self.model, self.chat.skill
        await self.draw()
        self._look = ui.timer(LOOK_S, self._show_more, active=self._running is not None)
        ui.timer(CHANGES_S, self._follow_others)

    async def draw(self) -> None:
        """Everything anew from the store."""
        chat = self.chat
        self._running = None
        self._seen = self.services.live.changes(chat.id) if chat else 0
        self.shown = await thread(self.services.chats.branch, chat.tip_id, limit=FIRST) if chat and chat.tip_id else []
        self._column.clear()
        with self._column:
            if not self.shown:
                self._welcome()
            elif self.shown[0].parent_id:
                ui.button("Earlier messages", icon="expand_less", on_click=self._earlier).props("flat dense no-caps")
            await self._draw_turns(self.shown)
        self.composer.busy(self._running is not None)
        if hasattr(self, "_look"):
            self._look.active = self._running is not None
        await self.head.draw()

    async def send(self, text: str) -> None:
        """A message of the user's: it is kept, then answered."""
        try:
            files = self.composer.take_files()
            self.chat, _ = await send.ask(self.services, self.chat, text, self._with(), files)
        except ChapetaError as error:
            say(error)
            self.composer.give_back(text)
            return
        await self._after_sending()

    async def stop(self) -> None:
        if self._running is not None:
            await self.services.live.stop(self._running[0].turn_id)
            await self._show_more()

    async def choose_model(self, model: str) -> None:
        self.model = model
        if self.chat is not None:
            self.chat = await thread(self.services.chats.change, self.chat.id, model=model)
        settings.change(model=model)
        await self.head.draw()

    async def choose_skill(self, skill: str) -> None:
        self.skill = skill
        if self.chat is not None:
            self.chat = await thread(self.services.chats.change, self.chat.id, skill=skill)
        await self.head.draw()

    async def _draw_turns(self, some: list[Turn]) -> None:
        ids = [turn.id for turn in some]
        chats = self.services.chats
        siblings, attached = await asyncio.gather(thread(chats.siblings, ids), thread(chats.attachments, ids))
        for turn in some:
            if turn.text and turn.role == "assistant":
                await thread(html_of, turn.text)  # is kept for the element below, which would render it in the loop
            beside = siblings.get(turn.id, [turn.id])
            if turn.role == "user":
                turns.show_question(turn, attached.get(turn.id, []), beside, self._acts)
                continue
            running = self.services.live.of(turn.id)
            answer = turns.show_answer(turn, beside, self._acts)
            if running is not None and turn.status == "streaming":
                text, place = running.since(0)
                answer.set(text)
                self._running = (running, answer, place)

    async def _show_more(self) -> None:
        """What has come of the answer since the last look; at its end the turn is drawn with its figures."""
        if self._running is None:
            return
        running, answer, place = self._running
        text, now = running.since(place)
        if text:
            answer.append(text)
        self._running = (running, answer, now)
        if running.done.is_set():
            answer.finish()
            await self._refresh_chat()
            await self.draw()

    async def _follow_others(self) -> None:
        """Another tab, or the end of an answer, has changed this chat."""
        chat = self.chat
        if chat is None or self._running is not None or self._seen == self.services.live.changes(chat.id):
            return
        await self._refresh_chat()
        await self.draw()

    async def _refresh_chat(self) -> None:
        if self.chat is not None:
            self.chat = await thread(self.services.chats.get, self.chat.id)

    async def _earlier(self) -> None:
        chat = self.chat
        if chat is None or chat.tip_id is None or not self.shown:
            return
        older = await thread(self.services.chats.branch, chat.tip_id, before=self.shown[0].id, limit=FIRST)
        keep = self._running
        self.shown = [*older, *self.shown]
        self._column.clear()
        with self._column:
            if older and older[0].parent_id:
                ui.button("Earlier messages", icon="expand_less", on_click=self._earlier).props("flat dense no-caps")
            await self._draw_turns(self.shown)
        self._running = self._running or keep

    async def _edit(self, turn: Turn, text: str) -> None:
        assert self.chat is not None
        self.chat, _ = await send.ask_instead(self.services, self.chat, turn, text, self._with())
        await self._after_sending()

    async def _again(self, turn: Turn) -> None:
        assert self.chat is not None
        try:
            self.chat, _ = await send.answer_again(self.services, self.chat, turn, self._with())
        except ChapetaError as error:
            say(error)
            return
        await self._after_sending()

    async def _switch(self, turn_id: str) -> None:
        assert self.chat is not None
        tip = await thread(self.services.chats.tip_below, turn_id)
        self.chat = await thread(self.services.chats.change, self.chat.id, tip_id=tip)
        await self.draw()

    async def _after_sending(self) -> None:
        chat = self.chat
        assert chat is not None
        self.services.live.changed(chat.id)
        await self.draw()
        ui.run_javascript(f"window.openedChat && window.openedChat('{chat.id}')")
        await list_chats(self.services, chat.id)

    async def _xray(self, turn: Turn) -> None:
        await show_xray(self.services, turn)

    async def _example(self, turn: Turn) -> None:
        from chapeta.web.talk.example import make_example

        await make_example(self.services, turn)

    def _here(self, act: Callable[Given, Awaitable[None]]) -> Callable[Given, Awaitable[None]]:
        """An act of a button under a turn, which may be gone, with its turn, before the act ends."""

        async def acted(*args: Given.args, **kwargs: Given.kwargs) -> None:
            with self._column:
                await act(*args, **kwargs)

        return acted

    def _with(self) -> With:
        return With(self.model, self.skill, self.dropped)

    def _welcome(self) -> None:
        with ui.element("div").classes("welcome"):
            ui.html("<h1>What are you working on?</h1>", sanitize=False)
            ui.label(
                "Write below. The model on this machine answers at once, without a key; "
                "add your own keys for hundreds more."
            ).classes("muted")

"""The chat page's state and its one way of doing things: the store is changed, then what is shown follows it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import ParamSpec

from nicegui import ui

from chapeta.chat.lead import lead_to
from chapeta.chat.types import Chat, Turn
from chapeta.errors import ChapetaError, Missing
from chapeta.web import settings
from chapeta.web.frame import list_chats, say
from chapeta.web.services import Services, thread
from chapeta.web.talk import send, turns
from chapeta.web.talk.column import Column
from chapeta.web.talk.coming import LOOK_S
from chapeta.web.talk.composer import Composer
from chapeta.web.talk.head import Head
from chapeta.web.talk.picker import pick_model
from chapeta.web.talk.send import Asked, With
from chapeta.web.talk.xray import show_xray

Given = ParamSpec("Given")
FIRST = 30  # turns that are drawn at once; as many earlier ones whenever they are asked for
FIRST_CHARACTERS = 20_000  # of all of them; long ones fill the window many times over, and take their time to build
SOME = 5  # of them in one go
DRAWN = "new Promise((drawn) => document.hidden ? drawn() : requestAnimationFrame(() => setTimeout(drawn)))"
DRAWN_S = 1.0  # a browser that has not said so by then is not waited for
MOST_AT_ONCE = 150  # turns that are drawn to lead to one of them
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
        self._newest = False  # the skill was picked anew: from now on it speaks as it is now
        self._many = FIRST
        self._asking = False  # a question is kept, and its answer has not begun yet
        self._stop_asked = False
        self._seen = 0
        self._drawing = asyncio.Lock()

    async def open(self, chat_id: str) -> None:
        """Builds the page."""
        acts = turns.Acts(
            self._here(self._edit), self._here(self._again), self._here(self._switch), self._here(self._xray),
            self._here(self._example), self._here(self._prefer),
        )  # fmt: skip
        with ui.element("div").classes("talk"):
            self.head = Head(self)
            with ui.element("main").classes("talk-body"):
                self._column = Column(self.services, acts, self._earlier)
            with ui.element("div").classes("talk-foot"):
                self.head.ways = ui.element("div")
                self.composer = Composer(self)
        if chat_id:
            try:
                self.chat = await thread(self.services.chats.get, chat_id)
            except ChapetaError as error:
                self._column.element.clear()
                with self._column.element:
                    turns.show_error({"message": error.message, "remedy": error.remedy})
                return
            self.model, self.skill = self.chat.model or self.model, self.chat.skill
        self._look = ui.timer(LOOK_S, self._show_more, active=False)
        self._many = await self._how_many()
        await self._lead_to(ui.context.client.request.query_params.get("turn", ""))
        await self.draw(measured=False)
        if self.chat is not None:
            ui.timer(0, self._measure, once=True)  # what would be sent is built once the page is there
        self._follow = ui.timer(CHANGES_S, self._follow_others)

    async def _lead_to(self, turn_id: str) -> None:
        """A search has found this turn: its branch is shown, as far back as the turn, which talk.js brings into sight."""
        found = await thread(lead_to, self.services.chats, self.chat, turn_id) if self.chat and turn_id else None
        if found is None:
            return
        self.chat, far = found
        self._many = max(self._many, min(far, MOST_AT_ONCE))
        if far > MOST_AT_ONCE:
            say(f"That message stands {far - MOST_AT_ONCE:,} messages further up: press Earlier messages.", "info")

    async def draw(self, measured: bool = True) -> None:
        """What is shown follows the store; what has not changed is not touched. measured: with how full the window is."""
        async with self._drawing:
            chat = self.chat
            self._seen = self.services.live.changes(chat.id) if chat else 0
            self.shown = await self._newest_turns(chat.tip_id) if chat and chat.tip_id else []
            await self._column.show(self.shown)
            self._look.active = bool(self._column.coming)
            self.composer.busy(self._asking or self._look.active)
            await self.head.draw(measured)

    async def send(self, text: str) -> None:
        """A message of the user's: it is kept, then answered."""
        try:
            asked = await send.say(self.services, self.chat, text, self._with(), self.composer.take_files())
        except ChapetaError as error:
            self.composer.give_back(text, error)
            return
        await self._answer(asked)

    async def stop(self) -> None:
        """Ends the answer that is coming, or that is about to."""
        self._stop_asked = True
        if self._column.coming:
            await self.services.live.stop(self._column.coming)
            await self._show_more()

    async def choose_model(self, model: str) -> None:
        self.model = model
        if self.chat is not None:
            self.chat = await thread(self.services.chats.change, self.chat.id, model=model)
        settings.change(model=model)
        await self.head.draw()
        await self.composer.reprice()

    async def choose_skill(self, skill: str) -> None:
        """A skill that is picked, also the same one anew, speaks as it is now; else a chat keeps the version it has."""
        self.skill, self._newest = skill, True
        if self.chat is not None:
            self.chat = await thread(self.services.chats.change, self.chat.id, skill=skill)
        await self.head.draw()

    async def _answer(self, asked: Asked) -> None:
        """Shows a question that is kept, then lets its answer begin."""
        self.chat, self._many, self._asking, self._stop_asked = asked.chat, self._many + 2, True, False
        try:
            await self._after_sending()
            self.chat, turn = await send.answer(self.services, asked)
            self._newest = False
        except ChapetaError as error:
            self.composer.refuse(error)
        else:
            if self._stop_asked:
                await self.services.live.stop(turn.id)
        finally:
            self._asking = False
            await self._after_sending()

    async def _after_sending(self) -> None:
        assert self.chat is not None
        await self._refresh_chat()
        self.services.live.changed(self.chat.id)
        # first, so that a reload of what is seen comes back to this chat
        ui.run_javascript(f"window.openedChat && window.openedChat('{self.chat.id}')")
        await self.draw()
        await list_chats(self.services, self.chat.id)

    async def _show_more(self) -> None:
        """What has come of the answer since the last look; at its end the turn gets its figures."""
        if self._column.more():
            await self._refresh_chat()
            await self.draw()

    async def _follow_others(self) -> None:
        """Another tab has changed this chat."""
        chat = self.chat
        if chat is None or self._drawing.locked() or self._seen == self.services.live.changes(chat.id):
            return
        try:
            await self._refresh_chat()
        except Missing as error:  # deleted in another window
            self._follow.deactivate()
            self.composer.refuse(error)
            return
        await self.draw()

    async def _refresh_chat(self) -> None:
        """The chat as it is now; another tab, or /name in its first message, may have chosen who answers."""
        if self.chat is not None:
            self.chat = await thread(self.services.chats.get, self.chat.id)
            self.model, self.skill = self.chat.model or self.model, self.chat.skill

    async def _measure(self) -> None:
        async with self._drawing:
            await self.head.draw()

    async def _newest_turns(self, tip_id: str) -> list[Turn]:
        """The newest turns of the path; what is shown already stays among them, however many another tab has added."""
        found = await thread(self.services.chats.branch, tip_id, limit=self._many + FIRST)
        first = self.shown[0].id if self.shown else None
        here = next((place for place, turn in enumerate(found) if turn.id == first), len(found))
        start = min(here, max(0, len(found) - self._many))
        self._many = max(self._many, len(found) - start)
        return found[start:]

    async def _how_many(self) -> int:
        """Turns to show at first."""
        tip = self.chat.tip_id if self.chat else None
        if tip is None:
            return FIRST
        return len(await thread(self.services.chats.branch, tip, limit=FIRST, characters=FIRST_CHARACTERS))

    async def _earlier(self) -> None:
        """Some at a time, the next when the browser has drawn them: two in one go would freeze what is read."""
        for _ in range(FIRST // SOME):
            self._many += SOME
            await self.draw(measured=False)
            if not self.shown[0].parent_id:
                break
            with contextlib.suppress(TimeoutError):
                await ui.run_javascript(DRAWN, timeout=DRAWN_S)
        await self._measure()

    async def _edit(self, turn: Turn, text: str) -> None:
        assert self.chat is not None
        await self._answer(await send.say_instead(self.services, self.chat, turn, text, self._with()))

    async def _again(self, turn: Turn) -> None:
        assert self.chat is not None
        self.chat, _ = await send.answer_again(self.services, self.chat, turn, self._with())
        await self._after_sending()

    async def _switch(self, turn_id: str) -> None:
        assert self.chat is not None
        tip = await thread(self.services.chats.tip_below, turn_id)
        self.chat = await thread(self.services.chats.change, self.chat.id, tip_id=tip)
        await self.draw()

    async def _send_on(self, turn: Turn, model: str) -> None:
        self.chat, _ = await send.send_on(self.services, turn, model)
        await self._after_sending()

    async def _xray(self, turn: Turn) -> None:
        async def choose() -> None:
            await pick_model(lambda model: self._here(self._send_on)(turn, model))

        await show_xray(self.services, turn, self._here(choose))

    async def _example(self, turn: Turn) -> None:
        from chapeta.web.talk.example import make_example  # loads numpy, for which the first page would wait

        await make_example(self.services, turn)

    async def _prefer(self, turn: Turn) -> None:
        from chapeta.web.talk.prefer import prefer  # as above

        await prefer(self.services, turn)

    def _here(self, act: Callable[Given, Awaitable[None]]) -> Callable[Given, Awaitable[None]]:
        """An act of a button under a turn, which may be gone, with its turn, before the act ends."""

        async def acted(*args: Given.args, **kwargs: Given.kwargs) -> None:
            with self._column.element:
                try:
                    await act(*args, **kwargs)
                except ChapetaError as error:
                    say(error)

        return acted

    def _with(self) -> With:
        return With(self.model, self.skill, self.dropped, self._newest)

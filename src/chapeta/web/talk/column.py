"""The turns of a chat on the page. What is shown already stays as it is: only what is new or has changed is drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui

from chapeta.chat.live import Running
from chapeta.chat.types import Turn
from chapeta.web.components.answer import html_of
from chapeta.web.services import Services, thread
from chapeta.web.talk.turns import Acts, Question, Reply


class Column:
    """Belongs to one page. One drawing at a time: `show` is to be called by one task."""

    def __init__(self, services: Services, acts: Acts, earlier: Callable[[], Awaitable[None]]) -> None:
        self._services = services
        self._acts = acts
        self._drawn: dict[str, Question | Reply] = {}
        self.element = ui.element("div").classes("talk-column")
        with self.element:
            self._welcome = ui.element("div")
            self._earlier = ui.button("Earlier messages", icon="expand_less", on_click=earlier)
            self._earlier.props("flat dense no-caps").classes("earlier")
        self._earlier.set_visibility(False)
        with self._welcome:
            _welcome()

    async def show(self, turns: Sequence[Turn]) -> None:
        """Shows these turns and no others, in this order."""
        ids = [turn.id for turn in turns]
        chats = self._services.chats
        siblings, attached = await asyncio.gather(thread(chats.siblings, ids), thread(chats.attachments, ids))
        some = [await self._as_it_is_now(turn) for turn in turns]
        for gone in [self._drawn.pop(turn_id) for turn_id in [*self._drawn] if turn_id not in set(ids)]:
            gone.element.delete()
        self._welcome.set_visibility(not turns)
        self._earlier.set_visibility(bool(turns and turns[0].parent_id))
        for place, (turn, running) in enumerate(some):
            beside = siblings.get(turn.id, [turn.id])
            shown = self._drawn.get(turn.id)
            if shown is not None:
                shown.update(turn, beside)
                continue
            with self.element:
                if turn.role == "user":
                    shown = Question(turn, attached.get(turn.id, []), beside, self._acts)
                else:
                    shown = Reply(turn, beside, self._acts, running)
            self._drawn[turn.id] = shown
            if place < len(self._drawn) - 1:
                shown.element.move(target_index=place + HEAD)

    def more(self) -> bool:
        """Shows what has come of answers since the last look; whether one has ended by that."""
        ended = [reply.coming.more() for reply in self._replies() if reply.coming is not None]
        return any(ended)

    @property
    def coming(self) -> str:
        """The id of the answer that is coming; "" if there is none."""
        return next((reply.turn.id for reply in self._replies() if reply.coming is not None), "")

    def _replies(self) -> list[Reply]:
        return [shown for shown in self._drawn.values() if isinstance(shown, Reply)]

    async def _as_it_is_now(self, turn: Turn) -> tuple[Turn, Running | None]:
        """The turn and the answer that comes into it; read once more where that has ended since it was read.

        A text's HTML is made in a thread, and kept for the element, which would make it in the event loop.
        """
        running = self._services.live.of(turn.id) if turn.status == "streaming" else None
        if turn.status == "streaming" and running is None:
            turn = await thread(self._services.chats.turn, turn.id)
        if turn.text and turn.role == "assistant" and turn.id not in self._drawn:
            await thread(html_of, turn.text)
        return turn, running


HEAD = 2  # elements above the turns


def _welcome() -> None:
    with ui.element("div").classes("welcome"):
        ui.html("<h1>What are you working on?</h1>", sanitize=False)
        ui.label(
            "Write below. The model on this machine answers at once, without a key; "
            "add your own keys for hundreds more."
        ).classes("muted")

"""One turn of a chat on the page: what was said, and under it who said it, what it cost, and what can be done with it.

A turn is drawn once. What changes later (the end of an answer, another branch beside it) is drawn anew alone, so that
nobody's click, selection or scrolled place is lost to a change elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from nicegui import ui

from chapeta.chat.live import Running
from chapeta.chat.types import Attachment, Turn
from chapeta.types import Json
from chapeta.web import words
from chapeta.web.components.answer import Answer
from chapeta.web.components.foot import Act, Foot
from chapeta.web.talk.coming import Coming

OnTurn = Callable[[Turn], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Acts:
    """What the buttons under a turn do."""

    edit: Callable[[Turn, str], Awaitable[None]]
    again: OnTurn
    switch: Callable[[str], Awaitable[None]]
    xray: OnTurn
    example: OnTurn
    prefer: OnTurn


class Question:
    """A turn of the user's."""

    def __init__(self, turn: Turn, attachments: Sequence[Attachment], siblings: list[str], acts: Acts) -> None:
        self.turn = turn
        self._siblings = siblings
        self._acts = acts
        self.element = ui.element("article").classes("turn user").props(f'data-turn="{turn.id}" aria-label="You"')
        with self.element:
            for one in attachments:
                with ui.element("div").classes("chip").style("align-self: flex-end"):
                    ui.icon("image" if one.mode == "image" else "description")
                    ui.label(one.name).classes("ellipsis").style("max-width: 20em")
            self._said = ui.label(turn.text).classes("said")
        self._foot = self._draw_foot()

    def update(self, turn: Turn, siblings: list[str]) -> None:
        """Draws anew what has changed: of a question, only what stands beside it."""
        self.turn = turn
        if siblings != self._siblings:
            self._siblings = siblings
            self._foot.delete()
            self._foot = self._draw_foot()

    def _draw_foot(self) -> Foot:
        with self.element:
            acts = [copy(self.turn.text), Act("edit", "Edit", self._edit)]
            return Foot(_branches(self.turn, self._siblings, self._acts), "", acts)

    def _edit(self) -> None:
        """Puts a box in the place of the question. What is sent becomes a branch; the old one stays."""
        self._said.set_visibility(False)
        self._foot.set_visibility(False)
        with self.element, ui.column().classes("w-full items-stretch gap-2") as box:
            text = ui.textarea(value=self.turn.text).props('outlined autogrow autofocus aria-label="Edit the message"')

            async def send() -> None:
                if (text.value or "").strip():
                    await self._acts.edit(self.turn, text.value)

            def leave() -> None:
                box.delete()
                self._said.set_visibility(True)
                self._foot.set_visibility(True)

            with ui.row().classes("justify-end gap-2"):
                ui.button("Cancel", on_click=leave).props("flat dense no-caps")
                ui.button("Send as a new branch", on_click=send).props("unelevated dense no-caps")


class Reply:
    """A turn of a model's. coming: set while the answer comes."""

    def __init__(self, turn: Turn, siblings: list[str], acts: Acts, running: Running | None) -> None:
        self.turn = turn
        self._siblings = siblings
        self._acts = acts
        self.element = ui.element("article").classes("turn").props(f'data-turn="{turn.id}" aria-label="Answer"')
        with self.element:
            self._thoughts = ui.element("div")
            self._answer = Answer()
            self._end = ui.element("div")
        self.coming = Coming(running, self._answer) if running is not None else None
        self._text = turn.text
        if running is None and turn.text:
            self._answer.set(turn.text)
        self._draw_around()

    def update(self, turn: Turn, siblings: list[str]) -> None:
        """Draws anew what has changed; the text only where it is another one than what has come."""
        before, self.turn = self.turn, turn
        if turn.status != "streaming" and self.coming is not None:
            self._text, self.coming = self.coming.end(), None
        if self.coming is None and turn.text != self._text:
            self._text = turn.text
            self._answer.set(turn.text)
        if siblings != self._siblings or (turn != before and self.coming is None):
            self._siblings = siblings
            self._draw_around()

    def _draw_around(self) -> None:
        """What stands above the text and below it."""
        turn = self.turn
        self._thoughts.clear()
        self._thoughts.set_visibility(bool(turn.reasoning))
        if turn.reasoning:
            with self._thoughts, ui.expansion("Thoughts").props("dense").classes("muted small w-full"):
                ui.label(turn.reasoning).style("white-space: pre-wrap")
        self._end.clear()
        with self._end:
            if turn.status == "streaming":
                ui.element("div").classes("dots").props('role="status" aria-label="The answer is coming"')
                return
            show_failure(turn)
            Foot(_branches(turn, self._siblings, self._acts), about(turn), self._what_can_be_done())

    def _what_can_be_done(self) -> list[Act]:
        turn, acts = self.turn, self._acts
        prefer = Act("thumb_up", "Prefer this one", lambda: acts.prefer(turn))
        return [
            copy(turn.text),
            Act("refresh", "Ask again", lambda: acts.again(turn)),
            Act("school", "Make an example of it", lambda: acts.example(turn)),
            *([prefer] if len(self._siblings) > 1 and turn.text else []),
            Act("data_object", "What was sent", lambda: acts.xray(turn)),
        ]


def show_failure(turn: Turn) -> None:
    """Why an answer is not whole, if it is not."""
    if turn.error:
        show_error(turn.error)
    elif turn.status == "cut":
        show_error(
            {"message": "Chapeta ended while this answer came; this is what had come.", "remedy": "Ask again."}
        )  # fmt: skip


def show_error(error: Json) -> None:
    """What went wrong, in place, with the next step and the provider's own words."""
    with ui.element("div").classes("notice bad").props('role="alert"'):
        ui.label(str(error.get("message", "It failed.")))
        if error.get("remedy"):
            ui.label(str(error["remedy"])).classes("muted small")
        if error.get("raw") and str(error["raw"]) not in str(error.get("message")):
            ui.label(str(error["raw"])[:600]).classes("mono").style("white-space: pre-wrap; overflow-wrap: anywhere")


def about(turn: Turn) -> str:
    """One line: model, skill, tokens, cost, time."""
    parts = [turn.model, speaker(turn)]
    if turn.tokens_out is not None:
        parts.append(f"{words.tokens(turn.tokens_in)} → {words.tokens(turn.tokens_out)} tokens")
    if turn.call_id:
        parts.append(words.usd(turn.usd))
    if turn.latency_ms:
        parts.append(words.seconds(turn.latency_ms))
    if turn.status == "stopped":
        parts.append("stopped")
    return " · ".join(filter(None, parts))


def speaker(turn: Turn) -> str:
    """The skill that spoke, and who chose it; "" for none."""
    by = {"always": ", always on", "model": ", chosen by the model"}.get(turn.skill_by, "")
    return f"/{turn.skill}{by}" if turn.skill else ""


def _branches(turn: Turn, siblings: list[str], acts: Acts) -> list[Act | str]:
    """The way to the other versions of a turn, if there are any."""
    if len(siblings) < 2:
        return []
    place = siblings.index(turn.id)
    ways: list[Act | str] = [
        Act("chevron_left", "The version before", lambda: acts.switch(siblings[place - 1]), off=place == 0),
        f"{place + 1}/{len(siblings)}",
        Act(
            "chevron_right",
            "The next version",
            lambda: acts.switch(siblings[place + 1]),
            off=place + 1 == len(siblings),
        ),
    ]
    if turn.role == "assistant" and turn.parent_id:
        ways.append(Act("compare", "Side by side", href=f"/compare/{turn.parent_id}"))
    return ways


def copy(text: str) -> Act:
    """The button that copies an answer or a question."""
    return Act("content_copy", "Copy", lambda: ui.clipboard.write(text))

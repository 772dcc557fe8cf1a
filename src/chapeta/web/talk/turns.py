"""One turn of a chat on the page: what was said, and under it who said it, what it cost, and what can be done with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from nicegui import ui

from chapeta.chat.types import Attachment, Turn
from chapeta.types import Json
from chapeta.web import words
from chapeta.web.components.answer import Answer

OnTurn = Callable[[Turn], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Acts:
    """What the buttons under a turn do."""

    edit: Callable[[Turn, str], Awaitable[None]]
    again: OnTurn
    switch: Callable[[str], Awaitable[None]]
    xray: OnTurn
    example: OnTurn


def show_question(turn: Turn, attachments: list[Attachment], siblings: list[str], acts: Acts) -> None:
    """A turn of the user's."""
    with ui.element("article").classes("turn user").props(f'data-turn="{turn.id}" aria-label="You"'):
        for one in attachments:
            with ui.element("div").classes("chip").style("align-self: flex-end"):
                ui.icon("image" if one.mode == "image" else "description")
                ui.label(one.name).classes("ellipsis").style("max-width: 20em")
        said = ui.label(turn.text).classes("said")
        with ui.row().classes("turn-foot gap-1") as foot:
            _branches(turn, siblings, acts)
            with ui.element("div").classes("acts"):
                _copy(turn.text)
                _button("edit", "Edit", lambda: _edit(turn, said, foot, acts))


def show_answer(turn: Turn, siblings: list[str], acts: Acts) -> Answer:
    """A turn of a model's; the element takes what still comes."""
    with ui.element("article").classes("turn").props(f'data-turn="{turn.id}" aria-label="Answer"'):
        if turn.reasoning:
            with ui.expansion("Thoughts").props("dense").classes("muted small w-full"):
                ui.label(turn.reasoning).style("white-space: pre-wrap")
        answer = Answer()
        if turn.text:
            answer.set(turn.text)
        if turn.status == "streaming":
            ui.element("div").classes("dots").props('role="status" aria-label="The answer is coming"')
        if turn.error:
            show_error(turn.error)
        elif turn.status == "cut":
            show_error(
                {
                    "message": "Chapeta ended while this answer came; this is what had come.",
                    "remedy": "Ask again.",
                }
            )
        if turn.status != "streaming":
            with ui.row().classes("turn-foot gap-1"):
                _branches(turn, siblings, acts)
                ui.label(about(turn))
                with ui.element("div").classes("acts"):
                    _copy(turn.text)
                    _button("refresh", "Ask again", lambda: acts.again(turn))
                    _button("school", "Make an example of it", lambda: acts.example(turn))
                    _button("data_object", "What was sent", lambda: acts.xray(turn))
    return answer


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
    parts = [turn.model]
    if turn.skill:
        by = {"always": ", always on", "model": ", chosen by the model"}.get(turn.skill_by, "")
        parts.append(f"/{turn.skill}{by}")
    if turn.tokens_out is not None:
        parts.append(f"{words.tokens(turn.tokens_in)} → {words.tokens(turn.tokens_out)} tokens")
    if turn.call_id:
        parts.append(words.usd(turn.usd))
    if turn.latency_ms:
        parts.append(words.seconds(turn.latency_ms))
    if turn.status == "stopped":
        parts.append("stopped")
    return " · ".join(parts)


def _branches(turn: Turn, siblings: list[str], acts: Acts) -> None:
    if len(siblings) < 2:
        return
    place = siblings.index(turn.id)
    back = _button("chevron_left", "The version before", lambda: acts.switch(siblings[place - 1]))
    ui.label(f"{place + 1}/{len(siblings)}")
    on = _button("chevron_right", "The next version", lambda: acts.switch(siblings[place + 1]))
    back.set_enabled(place > 0)
    on.set_enabled(place + 1 < len(siblings))


def _edit(turn: Turn, said: ui.label, foot: ui.row, acts: Acts) -> None:
    """Puts a box in the place of a question. What is sent becomes a branch; the old one stays."""
    said.set_visibility(False)
    foot.set_visibility(False)
    assert said.parent_slot is not None
    with said.parent_slot.parent, ui.column().classes("w-full items-stretch gap-2") as box:
        text = ui.textarea(value=turn.text).props('outlined autogrow autofocus aria-label="Edit the message"')

        async def send() -> None:
            if (text.value or "").strip():
                await acts.edit(turn, text.value)

        def leave() -> None:
            box.delete()
            said.set_visibility(True)
            foot.set_visibility(True)

        with ui.row().classes("justify-end gap-2"):
            ui.button("Cancel", on_click=leave).props("flat dense no-caps")
            ui.button("Send as a new branch", on_click=send).props("unelevated dense no-caps")


def _copy(text: str) -> None:
    _button("content_copy", "Copy", lambda: ui.clipboard.write(text))


def _button(icon: str, label: str, act: Callable[[], object]) -> ui.button:
    button = ui.button(icon=icon, on_click=act, color=None).props(f'flat dense round size=sm aria-label="{label}"')
    with button:
        ui.tooltip(label)
    return button

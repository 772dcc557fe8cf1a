"""One example in a dialog: every message and the answer can be changed; what should not be learned is pointed out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.examples import datasets, personal
from chapeta.examples.dataset_rows import Row
from chapeta.types import Message
from chapeta.web.dialogs import opened_dialog
from chapeta.web.services import thread

SHOWN = 5
ROLES = {"system": "Instruction", "user": "Question", "assistant": "Earlier answer", "tool": "What a tool said"}
Then = Callable[[], Awaitable[None]]


class Editing:
    """row: the one that is changed; None for a new one. kept: called when it has entered the dataset."""

    def __init__(self, name: str, row: Row | None, kept: Then) -> None:
        self._name, self._row, self._kept = name, row, kept
        messages = row.messages if row else (Message("user", ""),)
        with opened_dialog("Change the example" if row else "A new example", 720, classes="gap-2") as self._dialog:
            self._boxes = [(one, _box(ROLES.get(one.role, one.role), one.content, self._look)) for one in messages]
            self._answer = _box("The answer that it should have", row.answer if row else "", self._look)
            self._found = ui.column().classes("w-full gap-0").props("role=status")
            self._problem = ui.label().classes("small bad").props("role=alert")
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=self._dialog.close, color=None).props("flat no-caps")
                ui.button("Keep", on_click=self._keep).props("unelevated no-caps")
        self._look()

    def _messages(self) -> tuple[Message, ...]:
        return tuple(Message(one.role, box.value or "", one.weight) for one, box in self._boxes)

    def _look(self) -> None:
        """Points out secrets and personal data as they are typed, before they enter."""
        self._found.clear()
        with self._found:
            show_findings(self._messages(), self._answer.value or "")

    async def _keep(self) -> None:
        messages, answer, row = self._messages(), self._answer.value or "", self._row
        try:
            if row is None:
                await thread(datasets.append, self._name, messages, answer, "by hand")
            else:
                await thread(datasets.edit_row, self._name, row.id, messages, answer, row.version)
        except ChapetaError as error:
            self._problem.set_text(str(error))
            return
        self._dialog.close()
        await self._kept()


def show_findings(messages: tuple[Message, ...], answer: str) -> None:
    """A line for each of the first findings, masked; in the slot that is open."""
    found = personal.point_out(messages, answer)
    for one in found[:SHOWN]:
        ui.label(f"May this be learned? {one.kind}: {one.value}").classes("small warn")
    if len(found) > SHOWN:
        ui.label(f"and {len(found) - SHOWN:,} more").classes("small warn")


def _box(label: str, text: str, changed: Callable[[], None]) -> ui.textarea:
    box = ui.textarea(label, value=text).props("outlined autogrow debounce=300").classes("w-full")
    box.style("max-height: 40vh; overflow: auto").on_value_change(changed)
    return box

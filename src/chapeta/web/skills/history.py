"""The versions of a skill: what each said, what changed from one to another, and the way back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.skills import library
from chapeta.skills.library import Version
from chapeta.web import words
from chapeta.web.components.answer import Answer
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import heading, say
from chapeta.web.services import thread

STEP = 20
Back = Callable[[str, str], None]  # the text that is the newest again, and its hash


class History:
    """The list of versions on a page. in_use: gives the hash of the text that is there now; back: called when an earlier
    version became the newest.
    """

    def __init__(self, name: str, in_use: Callable[[], str], back: Back) -> None:
        self._name, self._in_use, self._back = name, in_use, back
        self._shown = STEP
        heading("Versions")
        self._place = ui.column().classes("w-full gap-1")

    async def draw(self) -> None:
        with self._place:
            try:
                found = await thread(library.versions, self._name)
            except ChapetaError as error:
                self._place.clear()
                ui.label(str(error)).classes("notice bad")
                return
            self._place.clear()
            if not found:
                ui.label("None yet: each save is one.").classes("muted")
                return
            with ui.element("div").classes("card").style("padding: 4px 8px"):
                used = next((one for one in reversed(found) if one.sha256 == self._in_use()), found[-1])
                for one in reversed(found[-self._shown :]):
                    self._line(one, used)
            if len(found) > self._shown:
                ui.button("Earlier ones", on_click=self._more).props("flat dense no-caps").classes("self-start")

    def _line(self, one: Version, used: Version) -> None:
        with ui.element("div").classes("provider").props(f'role=group aria-label="Version {one.number}"'):
            with ui.row().classes("items-center gap-2").style("flex: 1 1 200px"):
                ui.label(str(one.number)).classes("mono text-weight-medium")
                ui.label(words.when(one.saved_s)).classes("small muted")
                ui.label("in use" if one == used else "").classes("small good")
                ui.label(one.note).classes("small muted")
            with ui.row().classes("gap-1"):
                _small("Look", partial(self._look, one))
                if one.number > 1:
                    _small("What changed", partial(self._diff, one.number - 1, one.number))
                if one != used:
                    _small("Against now", partial(self._diff, one.number, used.number))
                    _small("Back to this", partial(self._restore, one.number))

    async def _more(self) -> None:
        self._shown += 5 * STEP
        await self.draw()

    async def _restore(self, number: int) -> None:
        with self._place:
            try:
                saved = await thread(library.restore, self._name, number)
                text = await thread(library.version_text, self._name, saved.sha256)
            except ChapetaError as error:
                say(error)
                return
            self._back(text, saved.sha256)
            say(f"Version {saved.version.number} says what version {number} did.", "positive")
            await self.draw()

    async def _look(self, one: Version) -> None:
        with self._place:
            try:
                text = await thread(library.version_text, self._name, one.sha256)
            except ChapetaError as error:
                say(error)
                return
            with _dialog(f"Version {one.number}"):
                Answer(f"~~~~~~~~~~markdown\n{text}\n~~~~~~~~~~")

    async def _diff(self, before: int, after: int) -> None:
        with self._place:
            try:
                lines = await thread(library.diff, self._name, before, after)
            except ChapetaError as error:
                say(error)
                return
            with _dialog(f"From version {before} to {after}"), ui.element("div").classes("diff"):
                if all(line.kind == "kept" for line in lines):
                    ui.label("The two say the same.").classes("muted")
                for line in lines:
                    mark = {"added": "+", "removed": "−"}.get(line.kind, " ")
                    ui.label(f"{mark} {line.text}").classes(f"diff-{line.kind}")


def _dialog(head: str) -> ui.element:
    """An open dialog; what is made inside the block is its middle."""
    with opened_dialog(head, 820, style="max-height: 84vh") as dialog:
        middle = ui.element("div").classes("w-full").style("overflow: auto")
        with ui.row().classes("w-full justify-end"):
            ui.button("Close", on_click=dialog.close).props("unelevated no-caps autofocus")
    return middle


def _small(label: str, act: Callable[[], Awaitable[None]]) -> None:
    ui.button(label, on_click=act).props("flat dense no-caps")

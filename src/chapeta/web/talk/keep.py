"""Keeping an example or a preference: into which dataset, and what is private in it, pointed out before it enters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.examples import datasets
from chapeta.examples.personal import Place, point_out
from chapeta.types import Message
from chapeta.web.frame import say
from chapeta.web.services import thread

MOST_SHOWN = 8


class Keeping:
    """The lower part of a dialog: the dataset, what was found, and the button that keeps it, once more where it has to."""

    def __init__(self, dialog: ui.dialog, names: Sequence[str], keep: Callable[[str], Awaitable[None]]) -> None:
        self._dialog = dialog
        self._keep = keep
        self._agreed: tuple[Place, ...] = ()
        self._messages: Sequence[Message] = ()
        self._answers: Callable[[], Sequence[str]] = tuple
        self._found = ui.element("div").classes("w-full").props('role="alert"')
        self._name = ui.select(
            [*names], label="Dataset", value=names[0] if names else None, with_input=True, new_value_mode="add-unique"
        )
        self._name.props("outlined dense").classes("w-full")
        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            self._button = ui.button("Keep", on_click=self._act).props("unelevated no-caps")

    async def of(self, messages: Sequence[Message], answers: Callable[[], Sequence[str]]) -> None:
        """What would enter: the messages before, and the answers as they stand in the dialog."""
        self._messages, self._answers = messages, answers
        self._show(await self._look())

    async def _act(self) -> None:
        name = str(self._name.value or "").strip()
        if not name:
            say("Choose a dataset, or type a name for a new one.", "info")
            return
        places = await self._look()
        self._show(places)
        if places and places != self._agreed:
            self._agreed = places
            self._button.set_text("Keep it all the same")
            return
        try:
            await self._keep(name)
        except ChapetaError as error:
            say(error)
            return
        self._dialog.close()
        ui.notify(f"Kept in {name}.", position="top", type="positive")

    async def _look(self) -> tuple[Place, ...]:
        *before, last = self._answers() or ("",)
        said = (*self._messages, *(Message("assistant", one) for one in before))
        return await thread(point_out, said, last)

    def _show(self, places: Sequence[Place]) -> None:
        self._found.clear()
        if not places:
            self._button.set_text("Keep")
            return
        with self._found, ui.element("div").classes("notice bad"):
            ui.label("Look again: this looks like something private. A model that learns from it may repeat it.")
            lines = list(dict.fromkeys(map(self._line, places)))
            for line in lines[:MOST_SHOWN]:
                ui.label(line).classes("small")
            if len(lines) > MOST_SHOWN:
                ui.label(f"and {len(lines) - MOST_SHOWN} more").classes("small muted")

    def _line(self, place: Place) -> str:
        where = "in the answer" if place.turn >= len(self._messages) else f"in message {place.turn + 1}"
        return f"{place.kind} {place.value}, {where}"


async def names() -> list[str]:
    """The datasets there are, the one that was changed last first."""
    return [dataset.name for dataset in await thread(datasets.listed)]

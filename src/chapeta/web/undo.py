"""What was just done, with a way back, at the foot of the page for some seconds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ElementFilter, ui

SHOWN_S = 10.0
MARK = "undo"


def offer_undo(text: str, undo: Callable[[], Awaitable[None]]) -> None:
    """Says what was done; `undo` runs if the user wants it back. A newer offer takes the place of an older one."""
    content = ui.context.client.content
    for older in ElementFilter(marker=MARK):
        older.delete()

    async def back() -> None:
        with content:
            place.delete()
            await undo()

    with content, ui.element("div").classes("undo").props('role="status"').mark(MARK) as place:
        ui.label(text)
        ui.button("Undo", on_click=back, color=None).props("flat dense no-caps")
        ui.timer(SHOWN_S, place.delete, once=True)

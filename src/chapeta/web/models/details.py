"""Everything that is known of one model, in a dialog, with what can be done with it."""

from __future__ import annotations

from urllib.parse import quote

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.web import settings
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import say
from chapeta.web.models.listing import details
from chapeta.web.services import thread


async def open_details(model: str) -> None:
    """Shows a model; it need not be listed anywhere."""
    try:
        found = await thread(details, model)
    except ChapetaError as error:
        say(error)
        return
    with opened_dialog(model) as dialog:
        if found.problem:
            ui.label(found.problem).classes("notice bad").style("width: 100%")
        with ui.element("table").classes("grid-table"), ui.element("tbody"):
            for name, value in found.facts:
                with ui.element("tr"):
                    with ui.element("th").props("scope=row").style("vertical-align: top; white-space: nowrap"):
                        ui.label(name)
                    with ui.element("td").style("overflow-wrap: anywhere"):
                        ui.label(value)

        async def use_first() -> None:
            await thread(settings.change, model=model)
            say(f"New chats begin with {model}.", "positive")

        with ui.row().classes("w-full justify-end gap-1"):
            ui.button("For new chats", on_click=use_first).props("flat no-caps")
            ui.button(
                "Talk to it", icon="chat", on_click=lambda: ui.navigate.to(f"/?model={quote(model, safe='')}")
            ).props("flat no-caps")
            ui.button("Close", on_click=dialog.close).props("unelevated no-caps autofocus")

"""Choosing a skill for a chat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from chapeta.skills import library
from chapeta.web.dialogs import opened_dialog
from chapeta.web.services import thread


async def pick_skill(chosen: Callable[[str], Awaitable[None]], here: str) -> None:
    """Opens the list; `chosen` gets the name, "" for none."""
    entries = [entry for entry in await thread(library.entries) if entry.enabled and entry.by_hand]
    with opened_dialog("Skill", 560, term="skill", classes="gap-1", style="max-height: 80vh") as dialog:

        async def take(name: str) -> None:
            dialog.close()
            await chosen(name)

        _line("No skill", "The model answers with nothing but the chat.", "", here, take)
        for entry in entries:
            _line(f"/{entry.name}", entry.description, entry.name, here, take)
        if not entries:
            ui.label("There are no skills yet.").classes("muted")
        ui.link("Write or import skills", "/skills")


def _line(title: str, about: str, name: str, here: str, take: Callable[[str], Awaitable[None]]) -> None:
    with ui.item(on_click=lambda: take(name)).props("clickable").classes("w-full rounded-borders"):
        with ui.item_section():
            ui.item_label(title)
            ui.item_label(about).props("caption lines=2").classes("muted")
        if name == here:
            with ui.item_section().props("side"):
                ui.icon("check").classes("good")

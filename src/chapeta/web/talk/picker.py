"""Choosing a model: own things first, prices and context windows beside, any id that is typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from chapeta.web import words
from chapeta.web.ask import ask
from chapeta.web.choices import Choice, choices
from chapeta.web.dialogs import opened_dialog
from chapeta.web.services import thread

Chosen = Callable[[str], Awaitable[None]]
KINDS = {"deployment": "rocket_launch", "local": "computer", "provider": "cloud"}


async def pick_model(chosen: Chosen) -> None:
    """Opens the picker; `chosen` gets the id."""
    with opened_dialog("", 640, classes="gap-2", style="height: min(80vh, 640px)") as dialog:
        search = ui.input(placeholder="Search models, or type any id").props(
            'outlined dense autofocus clearable aria-label="Search models"'
        )
        search.classes("w-full")
        with ui.row().classes("items-center gap-1 small muted"):
            ui.label("Prices are in USD for a million tokens, in and out.")
            ask("token")
        lines = ui.column().classes("w-full gap-0 overflow-auto").style("flex: 1 1 auto; flex-wrap: nowrap")

        async def show() -> None:
            found = await thread(choices, search.value or "")
            lines.clear()
            with lines:
                for choice in found:
                    _line(choice, take)
                if not found:
                    ui.label("Nothing fits. Type the id of a model, such as openrouter/qwen/qwen3-8b.").classes("muted")

        async def take(id: str) -> None:
            dialog.close()
            await chosen(id)

        async def first() -> None:
            found = await thread(choices, search.value or "", limit=1)
            if found:
                await take(found[0].id)

        search.props("debounce=150").on_value_change(show)
        search.on("keydown.enter", first)
        await show()


def _line(choice: Choice, take: Chosen) -> None:
    with ui.item(on_click=lambda: take(choice.id)).props("clickable").classes("w-full rounded-borders"):
        with ui.item_section().props("avatar").style("min-width: 34px"):
            ui.icon(KINDS[choice.kind]).classes("muted").style("font-size: 20px")
        with ui.item_section():
            ui.item_label(choice.id).classes("ellipsis")
            ui.item_label(_about(choice)).props("caption").classes("muted")
        with ui.item_section().props("side").classes("items-end"):
            if choice.inputs or choice.kind != "provider":
                ui.label(words.price(choice.price)).classes("small muted")
            if choice.context_tokens:
                ui.label(f"{words.tokens(choice.context_tokens)} context").classes("small muted")


def _about(choice: Choice) -> str:
    parts = [choice.about] if choice.about else []
    if "image" in choice.inputs:
        parts.append("sees images")
    if not choice.ready:
        parts.append(f"needs a key for {choice.id.partition('/')[0]}")
    return " · ".join(parts)

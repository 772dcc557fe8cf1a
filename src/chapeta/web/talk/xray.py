"""The X-ray of an answer: exactly what was sent, part by part, and the same again on another model."""

from __future__ import annotations

import json

from nicegui import ui

from chapeta.chat.types import Turn
from chapeta.types import Json
from chapeta.web.services import Services, thread

MOST_SHOWN = 20_000


async def show_xray(services: Services, turn: Turn) -> None:
    """Opens the request of an answer."""
    body: Json | None = await thread(services.chats.request, turn.id)
    with ui.dialog() as dialog, ui.card().classes("w-full").style("max-width: 860px; max-height: 86vh"):
        ui.label("What was sent").classes("text-h6")
        if body is None:
            ui.label("Nothing was sent for this turn.").classes("muted")
        else:
            with ui.column().classes("w-full gap-2 overflow-auto").style("flex-wrap: nowrap"):
                rest = {name: value for name, value in body.items() if name != "messages"}
                ui.label(json.dumps(rest, ensure_ascii=False)).classes("mono").style("overflow-wrap: anywhere")
                for message in body.get("messages", []):
                    _message(message)
        with ui.row().classes("w-full justify-end"):
            if body is not None:
                text = json.dumps(body, ensure_ascii=False, indent=1)
                ui.button("Copy as JSON", on_click=lambda: ui.clipboard.write(text)).props("flat no-caps")
            ui.button("Close", on_click=dialog.close).props("unelevated no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()


def _message(message: Json) -> None:
    content = message.get("content")
    shown = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    cut = f"\n… {len(shown) - MOST_SHOWN:,} more characters" if len(shown) > MOST_SHOWN else ""
    with ui.expansion(f"{message.get('role')} · {len(shown):,} characters", value=len(shown) < 1500).classes("card"):
        ui.label(shown[:MOST_SHOWN] + cut).classes("mono").style("white-space: pre-wrap; overflow-wrap: anywhere")

"""The X-ray of an answer: exactly what was sent, part by part, with tokens and price; and the same on another model."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from nicegui import ui

from chapeta.chat.types import Turn
from chapeta.chat.xray import Piece, Xray, look
from chapeta.types import Json
from chapeta.web import words
from chapeta.web.choices import price_of
from chapeta.web.dialogs import opened_dialog
from chapeta.web.services import Services, thread
from chapeta.web.talk.making import count_for
from chapeta.web.talk.turns import speaker

MOST_SHOWN = 20_000
OPEN_CHARS = 1500  # a longer part is folded
KINDS = {
    "system": "Skill and instructions", "summary": "Summary of what came before", "document": "Document",
    "image": "Picture", "history": "Before", "question": "Question",
}  # fmt: skip


async def show_xray(services: Services, turn: Turn, send_on: Callable[[], Awaitable[None]]) -> None:
    """Opens the request of an answer. send_on: asks for another model, and sends it there."""
    body: Json | None = await thread(services.chats.request, turn.id)
    seen = await _looked(services, turn, body) if body is not None else None
    with opened_dialog("What was sent", 860, term="x-ray", classes="xray", style="max-height: 86vh") as dialog:
        if seen is None:
            ui.label("Nothing was sent for this answer, or it was not kept.").classes("muted")
        else:
            _sum(turn, seen)
            with ui.column().classes("w-full gap-2 overflow-auto").style("flex-wrap: nowrap"):
                for piece in seen.pieces:
                    _piece(piece, turn, seen.exact)

        async def on() -> None:
            dialog.close()
            await send_on()

        with ui.row().classes("w-full justify-end gap-2"):
            if body is not None:
                text = json.dumps(body, ensure_ascii=False, indent=1)
                ui.button("Copy as JSON", on_click=lambda: ui.clipboard.write(text)).props("flat no-caps")
                ui.button("Send it again on another model", on_click=on).props("flat no-caps")
            ui.button("Close", on_click=dialog.close).props("unelevated no-caps")


async def _looked(services: Services, turn: Turn, body: Json) -> Xray:
    model = str(body.get("model", ""))
    path = await thread(services.chats.branch, turn.id)
    count = await count_for(services, model, path[:-1])
    price = await thread(price_of, model)
    question = next((one.text for one in path if one.id == turn.parent_id), "")
    return await thread(look, body, question, count, price, services.chats.data)


def _sum(turn: Turn, seen: Xray) -> None:
    """What all of it takes, who counted, and what the provider said afterwards."""
    rest = ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in seen.settings.items())
    ui.label(rest).classes("mono").style("overflow-wrap: anywhere")
    about = "" if seen.exact else "about "
    ui.label(f"In all {about}{seen.tokens:,} tokens to read · {_usd(seen.usd)}").classes("text-weight-medium")
    counted = "Counted by the model itself." if seen.exact else "Estimated; the provider counts for itself."
    marks = f"{seen.overhead:,} of them are marks around the messages. " if seen.overhead else ""
    reported = f" It reported {turn.tokens_in:,}." if turn.tokens_in is not None else ""
    ui.label(f"{marks}{counted}{reported} Prices are those of reading; the answer comes on top.").classes("small muted")


def _piece(piece: Piece, turn: Turn, exact: bool) -> None:
    name = KINDS[piece.kind]
    if piece.kind == "system" and speaker(turn):
        name = f"Skill {speaker(turn)}"
    elif piece.kind == "history":
        name = "Answer before" if piece.role == "assistant" else "Message before"
    elif piece.label:
        name = f"{name} {piece.label}"
    about = "" if exact and piece.kind != "image" else "about "
    title = f"{name} · {about}{piece.tokens:,} tokens · {_usd(piece.usd)}"
    cut = f"\n… {len(piece.text) - MOST_SHOWN:,} more characters" if len(piece.text) > MOST_SHOWN else ""
    with ui.expansion(title, value=len(piece.text) < OPEN_CHARS).classes("card").style("padding: 0"):
        if piece.kind == "image" and not piece.text:
            ui.label("The picture itself is sent.").classes("muted small")
            return
        shown = ui.label(piece.text[:MOST_SHOWN] + cut).classes("mono")
        shown.style("white-space: pre-wrap; overflow-wrap: anywhere")


def _usd(amount: float | None) -> str:
    return "price unknown" if amount is None else words.usd(amount)

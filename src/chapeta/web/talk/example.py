"""An answer, as it is or as the user corrects it, becomes an example of a dataset."""

from __future__ import annotations

from nicegui import ui

from chapeta.chat.learned import before
from chapeta.chat.types import Turn
from chapeta.examples import datasets
from chapeta.web.dialogs import opened_dialog
from chapeta.web.services import Services, thread
from chapeta.web.talk import keep


async def make_example(services: Services, turn: Turn) -> None:
    """Asks for the dataset and lets the answer be corrected."""
    messages = await thread(before, services.chats, turn)
    names = await keep.names()
    with opened_dialog("Make an example of it", 720) as dialog:
        ui.label(
            "Correct the answer if it should have been another: what stands here is what a model will learn."
        ).classes("muted small")
        answer = ui.textarea("Answer", value=turn.text).props("outlined autogrow").classes("w-full")
        answer.style("max-height: 50vh; overflow: auto")

        async def add(name: str) -> None:
            source = f"chat/{turn.chat_id}/{turn.id}"
            await thread(datasets.append, name, messages, answer.value or "", source)

        keeping = keep.Keeping(dialog, names, add)
    await keeping.of(messages, lambda: (answer.value or "",))

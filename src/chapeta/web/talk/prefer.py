"""Of answers to the same question, the one that the user likes better, kept as preference pairs of a dataset."""

from __future__ import annotations

from nicegui import ui

from chapeta.chat.learned import before, others
from chapeta.chat.types import Turn
from chapeta.errors import BadInput
from chapeta.examples import datasets
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import say
from chapeta.web.labels import labelled
from chapeta.web.services import Services, thread
from chapeta.web.talk import keep

MOST_CHARS = 600


async def prefer(services: Services, turn: Turn) -> None:
    """Asks to which other answers this one is preferred, and for the dataset."""
    worse = await thread(others, services.chats, turn)
    if not worse:
        say("There is no other answer to this question that says something else.", "info")
        return
    messages = await thread(before, services.chats, turn)
    names = await keep.names()
    with opened_dialog("Prefer this answer", 720, term="preference-pair") as dialog:
        _beginning(turn)
        ui.label("to" if len(worse) == 1 else "to those that are ticked").classes("muted small")
        ticks = {}
        for other in worse:
            with ui.row(wrap=False).classes("w-full items-start gap-1"):
                if len(worse) > 1:
                    ticks[other.id] = labelled(ui.checkbox(value=True).props("dense"), f"Answer of {other.model}")
                _beginning(other)

        def chosen() -> list[Turn]:
            return [other for other in worse if other.id not in ticks or ticks[other.id].value]

        async def add(name: str) -> None:
            if not chosen():
                raise BadInput("No other answer is ticked.", "Tick those that are worse.")
            source = f"chat/{turn.chat_id}/{turn.id}"
            for other in chosen():
                await thread(datasets.append_pair, name, messages, turn.text, other.text, source)

        keeping = keep.Keeping(dialog, names, add)
    await keeping.of(messages, lambda: (turn.text, *(other.text for other in chosen())))


def _beginning(turn: Turn) -> None:
    """Whose answer it is, and enough of it to know it again."""
    with ui.element("div").classes("card").style("padding: 8px 12px"):
        ui.label(turn.model).classes("small muted")
        ui.label(" ".join(turn.text[:MOST_CHARS].split())).classes("ellipsis-3-lines").style("overflow-wrap: anywhere")

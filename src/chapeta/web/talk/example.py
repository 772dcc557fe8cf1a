"""An answer, as it is or as the user corrects it, becomes an example of a dataset."""

from __future__ import annotations

from nicegui import ui

from chapeta.chat.types import Turn
from chapeta.errors import ChapetaError
from chapeta.examples import datasets
from chapeta.types import Message
from chapeta.web.frame import say
from chapeta.web.services import Services, thread


async def make_example(services: Services, turn: Turn) -> None:
    """Asks for the dataset and lets the answer be corrected."""
    path = await thread(services.chats.branch, turn.id, limit=100_000)
    messages = tuple(Message(one.role, one.text) for one in path[:-1] if one.text)
    names = [dataset.name for dataset in await thread(datasets.listed)]
    with ui.dialog() as dialog, ui.card().classes("w-full").style("max-width: 720px"):
        ui.label("Make an example of it").classes("text-h6")
        ui.label(
            "Correct the answer if it should have been another: what stands here is what a model will learn."
        ).classes("muted small")
        answer = (
            ui.textarea("Answer", value=turn.text)
            .props("outlined autogrow")
            .classes("w-full")
            .style("max-height: 50vh; overflow: auto")
        )
        name = ui.select(
            names, label="Dataset", value=names[0] if names else None, with_input=True, new_value_mode="add-unique"
        )
        name.props("outlined dense").classes("w-full")

        async def keep() -> None:
            try:
                await thread(
                    datasets.append,
                    str(name.value or ""),
                    messages,
                    answer.value or "",
                    f"chat/{turn.chat_id}/{turn.id}",
                )
            except ChapetaError as error:
                say(error)
                return
            dialog.close()
            ui.notify(f"Kept in {name.value}.", position="top", type="positive")

        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Keep", on_click=keep).props("unelevated no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()

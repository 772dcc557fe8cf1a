"""Side by side: two to four models or skills answer the same message; a question's answers beside each other."""

from __future__ import annotations

from nicegui import ui

from chapeta.chat.beside import beside
from chapeta.errors import ChapetaError
from chapeta.web.frame import frame, list_chats, title
from chapeta.web.services import Services, thread
from chapeta.web.talk.sides import Sides
from chapeta.web.talk.sides_ask import AskSides

LEAD = "The same message to two to four models or Skills, with what each answer costs and how long it takes."


async def show(services: Services, question_id: str = "") -> None:
    """The columns to ask, or with a question's id its answers, also while they come."""
    with frame("Side by side", "/compare"), ui.element("main").classes("page wide"):
        if question_id:
            await _answers(services, question_id)
        else:
            title("Side by side", LEAD)
            AskSides(services)
    await list_chats(services)


async def _answers(services: Services, question_id: str) -> None:
    try:
        found = await thread(beside, services.database, question_id)
    except ChapetaError as error:
        title("Side by side")
        ui.label(str(error)).classes("bad")
        ui.link("Ask several models", "/compare")
        return
    await Sides(services, found).open()

"""Skills: the library, an editor with the price in tokens beside it, versions, scores, trust, and import."""

from __future__ import annotations

from nicegui import ui

from chapeta.web.frame import frame, list_chats, title
from chapeta.web.services import Services
from chapeta.web.skills import bring, editor
from chapeta.web.skills.bring import Bring
from chapeta.web.skills.listing import Library
from chapeta.web.skills.trust import Trust

LEAD = (
    "Instructions that a model follows. A Skill is plain text in a folder of the Agent Skills standard, so other programs "
    "read it too."
)


async def show(services: Services, name: str = "") -> None:
    with frame("Skills", "/skills"), ui.element("main").classes("page"):
        if name:
            await editor.show_skill(name, ui.context.client.request.query_params.get("folder", ""))
        else:
            await _library()
    await list_chats(services)


async def _library() -> None:
    title("Skills", LEAD, "skill")
    with ui.row().classes("gap-2"):
        ui.button("Write one", icon="add", on_click=bring.write_one).props("unelevated no-caps dense")
        ui.button("Paste one", icon="content_paste", on_click=bring.paste_one).props("flat no-caps dense")
    Bring(changed=lambda: library.draw())
    library = Library()
    folders = Trust(changed=library.draw)
    await library.draw()
    await folders.draw()

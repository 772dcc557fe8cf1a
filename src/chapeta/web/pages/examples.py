"""Examples: datasets of questions and the answers they should have, browsed, corrected, added to, checked, split.

The parts are in `web/dataset/`.
"""

from __future__ import annotations

from urllib.parse import quote

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.examples import datasets
from chapeta.web import words
from chapeta.web.dataset.bringing import Bringing
from chapeta.web.dataset.checking import show_check, show_split
from chapeta.web.dataset.rows import Pairs, Rows
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import frame, list_chats, title
from chapeta.web.services import Services, thread

LEAD = (
    "What your task looks like: questions with the answers that they should have. They decide what is measured, and what "
    "a model learns."
)


async def show(services: Services, name: str = "") -> None:
    with frame("Examples", "/examples"), ui.element("main").classes("page"):
        if name:
            await _dataset(name)
        else:
            await _all()
    await list_chats(services)


async def _all() -> None:
    title("Examples", LEAD, "dataset")
    Bringing()
    found = await thread(datasets.listed)
    if not found:
        ui.label("No datasets yet. Drop a file here, or make examples of answers in a chat.").classes("muted")
        return
    with (
        ui.element("div").classes("card wide").style("padding: 0"),
        ui.element("table").classes("grid-table"),
        ui.element("tbody"),
    ):
        for one in found:
            _line(one)


def _line(one: datasets.Dataset) -> None:
    with ui.element("tr"):
        with ui.element("td"):
            ui.link(one.name, f"/examples/{quote(one.name)}").classes("text-weight-medium")
        with ui.element("td").classes("num muted"):
            ui.label(f"{one.rows:,} examples" + (f" · {one.pairs:,} preferences" if one.pairs else ""))
        with ui.element("td").classes("num muted"):
            ui.label(words.when(one.changed_s))
        with ui.element("td").classes("num"):
            ui.link("Specialise", f"/specialise?dataset={quote(one.name)}")


async def _dataset(name: str) -> None:
    ui.link("All datasets", "/examples").classes("small")
    title(name)
    buttons = ui.row().classes("gap-2")
    bring = ui.element("div").classes("w-full")
    rows = Rows(name)
    with buttons:
        ui.button("Check", icon="fact_check", on_click=lambda: show_check(name), color=None).props("flat no-caps dense")
        ui.button("Split", icon="call_split", on_click=lambda: show_split(name), color=None).props("flat no-caps dense")
        ui.button("Add one", icon="add", on_click=rows.add, color=None).props("flat no-caps dense")
        ui.button("Rename", icon="edit", on_click=lambda: _rename(name), color=None).props("flat no-caps dense")
        ui.button("Remove", icon="delete", on_click=lambda: _remove(name), color=None).props("flat no-caps dense")
        ui.button(
            "Specialise on it", icon="rocket_launch",
            on_click=lambda: ui.navigate.to(f"/specialise?dataset={quote(name)}"),
        ).props("unelevated no-caps dense")  # fmt: skip
    with bring, ui.expansion("Add the rows of a file").classes("w-full small"):
        Bringing(name)
    await rows.show()
    await Pairs(name).show()


def _rename(name: str) -> None:
    with opened_dialog(f"Rename {name}", 440, classes="gap-2") as dialog:
        box = ui.input("Name", value=name).props("outlined dense autofocus").classes("w-full")
        problem = ui.label().classes("small bad").props("role=alert")

        async def keep() -> None:
            try:
                renamed = await thread(datasets.rename, name, (box.value or "").strip())
            except ChapetaError as error:
                problem.set_text(str(error))
                return
            ui.navigate.to(f"/examples/{quote(renamed.name)}")

        box.on("keydown.enter", keep)
        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=dialog.close, color=None).props("flat no-caps")
            ui.button("Rename", on_click=keep).props("unelevated no-caps")


def _remove(name: str) -> None:
    """Asks first: there is no way back."""
    with opened_dialog(f"Remove {name}?", 440, classes="gap-2") as dialog:
        ui.label("Its examples and preferences are gone then. What was made from them stays.").classes("muted")
        problem = ui.label().classes("small bad").props("role=alert")

        async def remove() -> None:
            try:
                await thread(datasets.remove, name)
            except ChapetaError as error:
                problem.set_text(str(error))
                return
            ui.navigate.to("/examples")

        with ui.row().classes("w-full justify-end"):
            ui.button("Keep it", on_click=dialog.close, color=None).props("flat no-caps autofocus")
            ui.button("Remove", on_click=remove, color="negative").props("unelevated no-caps")

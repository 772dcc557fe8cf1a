"""Examples: datasets of questions and the answers they should have, browsed, corrected, added to, checked."""

from __future__ import annotations

import tempfile
from pathlib import Path

from nicegui import events, ui

from chapeta.errors import ChapetaError
from chapeta.examples import datasets, personal
from chapeta.examples.dataset_rows import Row
from chapeta.types import Message
from chapeta.web import checked, words
from chapeta.web.frame import frame, list_chats, say, title
from chapeta.web.services import Services, thread

ROWS = 25
LEAD = (
    "What your task looks like: questions with the answers that they should have. They decide what is measured, and what "
    "a model learns."
)
MOST_UPLOAD_BYTES = 500_000_000


async def show(services: Services, name: str = "") -> None:
    with frame("Examples", "/examples"), ui.element("main").classes("page"):
        if name:
            await _dataset(name)
        else:
            await _all()
    await list_chats(services)


async def _all() -> None:
    title("Examples", LEAD)
    _upload()
    found = await thread(datasets.listed)
    if not found:
        ui.label("No datasets yet. Drop a file here, or make examples of answers in a chat.").classes("muted")
        return
    with (
        ui.element("div").classes("card").style("padding: 0"),
        ui.element("table").classes("grid-table"),
        ui.element("tbody"),
    ):
        for one in found:
            with ui.element("tr"):
                with ui.element("td"):
                    ui.link(one.name, f"/examples/{one.name}").classes("text-weight-medium")
                with ui.element("td").classes("num muted"):
                    ui.label(f"{one.rows:,} examples" + (f" · {one.pairs:,} preferences" if one.pairs else ""))
                with ui.element("td").classes("num muted"):
                    ui.label(words.when(one.changed_s))
                with ui.element("td").classes("num"):
                    ui.link("Specialise", f"/specialise?dataset={one.name}")


def _upload() -> None:
    """A file of any format that `chapeta check` reads becomes a dataset of its name."""

    async def take(given: events.UploadEventArguments) -> None:
        name = Path(given.file.name).name.split(".")[0][:60] or "examples"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(given.file.name).name
            await given.file.save(file)
            try:
                added, bad = await thread(datasets.import_file, name, file)
            except ChapetaError as error:
                say(error)
                return
        more = f"; {len(bad)} rows or more could not be used, the first: {bad[0].reason}" if bad else ""
        ui.notify(
            f"{added:,} examples in {name}{more}",
            type="warning" if bad else "positive",
            position="top",
            multi_line=True,
        )
        ui.navigate.to(f"/examples/{name}")

    ui.upload(
        label="Drop a file here: JSONL, CSV, Parquet, ShareGPT, Alpaca …", on_upload=take, auto_upload=True,
        max_file_size=MOST_UPLOAD_BYTES, on_rejected=lambda: say("That file is larger than 500 MB."),
    ).props("flat bordered").classes("w-full")  # fmt: skip


async def _dataset(name: str) -> None:
    ui.link("All datasets", "/examples").classes("small")
    title(name)
    with ui.row().classes("gap-2"):
        ui.button("Check", icon="fact_check", on_click=lambda: _check(name)).props("flat no-caps dense")
        ui.button(
            "Specialise on it", icon="rocket_launch", on_click=lambda: ui.navigate.to(f"/specialise?dataset={name}")
        ).props("unelevated no-caps dense")
    place = ui.column().classes("w-full gap-3")

    async def draw(start: int = 0) -> None:
        try:
            page = await thread(datasets.page, name, start, ROWS)
        except ChapetaError as error:
            place.clear()
            with place:
                ui.label(str(error)).classes("bad")
            return
        place.clear()
        with place:
            ui.label(
                f"{page.start + 1:,} to {page.start + len(page.rows):,} of {page.total:,}"
                if page.rows
                else "No examples yet."
            ).classes("small muted")
            for row in page.rows:
                _row(name, row, lambda: draw(page.start))
            with ui.row():
                ui.button("Before", on_click=lambda: draw(max(0, page.start - ROWS))).props("flat no-caps").set_enabled(
                    page.start > 0
                )
                ui.button("Next", on_click=lambda: draw(page.start + ROWS)).props("flat no-caps").set_enabled(
                    page.start + len(page.rows) < page.total
                )

    await draw()


def _row(name: str, row: Row, again) -> None:  # type: ignore[no-untyped-def]
    with ui.element("div").classes("card"):
        if row.fault:
            ui.label(row.fault).classes("bad")
            ui.label(row.text).classes("mono")
            return
        for message in row.messages:
            ui.label(f"{message.role}: {message.content}").classes("muted").style(
                "white-space: pre-wrap; overflow-wrap: anywhere"
            )
        ui.label(row.answer).style("white-space: pre-wrap; overflow-wrap: anywhere; font-weight: 500")
        for found in personal.point_out(row.messages, row.answer)[:5]:
            ui.label(f"Look again: {found.kind} {found.value}").classes("small warn")
        with ui.row().classes("gap-1"):
            ui.button("Edit", on_click=lambda: _edit(name, row, again)).props("flat dense no-caps size=sm")

            async def remove() -> None:
                try:
                    await thread(datasets.delete_row, name, row.id, row.version)
                except ChapetaError as error:
                    say(error)
                await again()

            ui.button("Delete", on_click=remove).props("flat dense no-caps size=sm")
            if row.source:
                ui.label(row.source).classes("small muted")


async def _edit(name: str, row: Row, again) -> None:  # type: ignore[no-untyped-def]
    with ui.dialog() as dialog, ui.card().classes("w-full").style("max-width: 720px"):
        question = (
            ui.textarea("The last message", value=row.messages[-1].content).props("outlined autogrow").classes("w-full")
        )
        answer = (
            ui.textarea("The answer that it should have", value=row.answer).props("outlined autogrow").classes("w-full")
        )

        async def keep() -> None:
            messages = (*row.messages[:-1], Message(row.messages[-1].role, question.value or ""))
            try:
                await thread(datasets.edit_row, name, row.id, messages, answer.value or "", row.version)
            except ChapetaError as error:
                say(error)
                return
            dialog.close()
            await again()

        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Keep", on_click=keep).props("unelevated no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()


async def _check(name: str) -> None:
    try:
        report = await thread(datasets.check, name)
    except ChapetaError as error:
        say(error)
        return
    with ui.dialog() as dialog, ui.card().classes("w-full").style("max-width: 620px"):
        ui.label(f"Checked: {name}").classes("text-h6")
        for kind, line in checked.lines(report):
            ui.label(line).classes(f"small {kind}")
        ui.button("Close", on_click=dialog.close).props("unelevated no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()

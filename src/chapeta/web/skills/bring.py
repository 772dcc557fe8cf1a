"""Bringing skills in: from a folder, a ZIP or pasted text; what came over is said as a list, what was left out with why."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from nicegui import events, ui

from chapeta.chat.tokens import Estimate
from chapeta.errors import BadInput, ChapetaError
from chapeta.files import passing_folder
from chapeta.skills import bring
from chapeta.skills.bring import NeedsDescription, Report
from chapeta.skills.file import MAX_DESCRIPTION_CHARS, MAX_FILE_BYTES, decoded
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import say
from chapeta.web.services import thread

Again = Callable[[], Awaitable[None]]
Take = Callable[[str, bool], Report]  # with a description, "" for its own; whether over skills of the same name
NEW = "---\nname: my-skill\ndescription: What it does, and when to use it.\n---\n\nAnswer in two sentences.\n"
TAKEN = "there is a skill of this name already"


def write_one() -> None:
    """A new skill from a draft."""
    _text("Write a Skill", NEW)


def paste_one() -> None:
    """A new skill from text of elsewhere, with or without a head."""
    _text("Paste a Skill", "")


def _text(head: str, start: str) -> None:
    """Takes text; where it has no description, it is asked for."""
    count = Estimate()
    with opened_dialog(head, 760) as dialog:
        text = ui.textarea(value=start, placeholder="With or without a head of name and description")
        text.props("outlined autofocus input-style=min-height:40vh aria-label='Text of the Skill'").classes(
            "w-full mono"
        )
        price = ui.label("").classes("small muted")
        name = ui.input("Name", placeholder="made from its title").props("outlined dense").classes("w-full")
        what = ui.input("What it does, and when to use it").props(f"outlined dense maxlength={MAX_DESCRIPTION_CHARS}")
        what.classes("w-full")
        name.set_visibility(False)
        what.set_visibility(False)
        problem = ui.label("").classes("small bad").props("role=alert")

        def counted() -> None:
            price.text = f"about {count(text.value or ''):,} tokens"

        async def keep() -> None:
            try:
                saved = await thread(bring.bring_text, text.value or "", name.value or "", what.value or "")
            except NeedsDescription as error:
                name.set_visibility(True)
                what.set_visibility(True)
                name.value = name.value or error.name
                problem.text = "Say what it does and when to use it: models choose it by that."
                what.run_method("focus")
                return
            except ChapetaError as error:
                name.set_visibility(name.visible or "Give another name" in str(error))
                problem.text = str(error)
                return
            dialog.close()
            ui.navigate.to(f"/skills/{saved.name}")

        text.on_value_change(counted)
        counted()
        what.on("keydown.enter", keep)
        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Keep", on_click=keep).props("unelevated no-caps")


class Bring:
    """The card that takes a ZIP, a file or the path of a folder. changed: called after skills came."""

    def __init__(self, changed: Again) -> None:
        self._changed = changed
        box = ui.expansion("Bring in a ZIP or a folder", icon="upload_file").classes("w-full card").style("padding: 0")
        with box, ui.column().classes("w-full gap-3") as self._place:
            ui.upload(
                    label="Drop a ZIP, a .skill or a SKILL.md", on_upload=self._uploaded, auto_upload=True,
                    max_file_size=bring.MOST_ZIP_BYTES, on_rejected=self._too_large,
                ).props("flat").classes("w-full")  # fmt: skip
            with ui.row().classes("w-full items-center gap-2"):
                self._path = ui.input("Path of a folder or ZIP on this machine", placeholder="~/skills/triage")
                self._path.props("outlined dense").style("flex: 1 1 240px").on("keydown.enter", self._from_path)
                ui.button("Bring in", on_click=self._from_path).props("flat no-caps")
            self._problem = ui.label("").classes("small bad").props("role=alert")

    def _too_large(self) -> None:
        self._problem.text = f"That file is larger than {bring.MOST_ZIP_BYTES >> 20} MiB. Take large files out of it."

    async def _uploaded(self, given: events.UploadEventArguments) -> None:
        folder = passing_folder()
        file = folder / (Path(given.file.name).name or "skill.zip")
        await given.file.save(file)
        await self._bring(partial(take_file, file), partial(shutil.rmtree, folder, ignore_errors=True))

    async def _from_path(self) -> None:
        given = (self._path.value or "").strip()
        if not given:
            self._problem.text = "No path was given. Write one, such as ~/skills/triage."
            return
        await self._bring(partial(take_file, Path(given)), lambda: None)

    async def _bring(self, take: Take, done: Callable[[], None]) -> None:
        """Takes it, asks for what is missing, says what came over; `done` is called when nothing more is read."""
        self._problem.text = ""
        with self._place:
            try:
                report = await thread(take, "", False)
            except NeedsDescription as error:
                self._ask_description(error, take, done)
                return
            except ChapetaError as error:
                self._problem.text = str(error)
                done()
                return
            await self._changed()
            self._say(report, take, done)

    def _ask_description(self, error: NeedsDescription, take: Take, done: Callable[[], None]) -> None:
        with opened_dialog(f"/{error.name} has no description", 560) as dialog:
            what = ui.input("What it does, and when to use it").props(
                f"outlined dense autofocus maxlength={MAX_DESCRIPTION_CHARS}"
            )
            what.classes("w-full")

            async def go_on() -> None:
                if not (what.value or "").strip():
                    say("Say what it does and when to use it.", "warning")
                    return
                dialog.close()
                await self._bring(lambda _, over: take(what.value or "", over), done)

            what.on("keydown.enter", go_on)
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
                ui.button("Bring in", on_click=go_on).props("unelevated no-caps")

    def _say(self, report: Report, take: Take, done: Callable[[], None]) -> None:
        """What came over, as a list; those that were here can be replaced."""
        with opened_dialog("What came over", 640) as dialog:
            with ui.column().classes("w-full gap-2").style("max-height: 60vh; overflow: auto; flex-wrap: nowrap"):
                _report(report)

            async def replace() -> None:
                dialog.close()
                await self._bring(lambda what, _: take(what, True), done)

            with ui.row().classes("w-full justify-end"):
                if any(why == TAKEN for _, why in report.left_out):
                    ui.button("Replace mine with these", on_click=replace).props("flat no-caps")
                ui.button("Close", on_click=dialog.close).props("unelevated no-caps autofocus")

        if not any(why == TAKEN for _, why in report.left_out):
            dialog.on("hide", done)


def take_file(path: Path, description: str, over: bool) -> Report:
    """Takes a folder, a ZIP or a text; raises NeedsDescription where one is missing. Blocks."""
    file = path.expanduser()
    if file.is_dir():
        return bring.bring_folder(file, description=description, over=over)
    if not file.is_file():
        raise BadInput(f"{file} is neither a folder nor a file.", "Check the path.")
    with file.open("rb") as opened:
        begins = opened.read(2)
    if begins == b"PK" or file.suffix.lower() in (".zip", ".skill"):
        return bring.bring_zip(file, description=description, over=over)
    if file.stat().st_size > MAX_FILE_BYTES:
        raise BadInput(
            f"{file.name} is larger than {MAX_FILE_BYTES // 1024} KiB.", "Move details into files beside it."
        )
    saved = bring.bring_text(decoded(file.read_bytes(), Path(file.name)), "", description)
    return Report([bring.Brought(saved.name, description, True, (), saved.warnings)])


def _report(report: Report) -> None:
    for one in report.brought:
        with ui.row().classes("gap-2 items-center"):
            ui.icon("check_circle").classes("good")
            ui.link(f"/{one.name}", f"/skills/{quote(one.name, safe='')}")
            about = "new" if one.is_new else "replaced; the one before is kept"
            beside = "1 file" if len(one.files) == 1 else f"{len(one.files)} files"
            ui.label(f"{about}, {beside} beside it" if one.files else about).classes("small muted")
        for warning in one.warnings:
            ui.label(warning).classes("small warn")
    for name in report.already:
        with ui.row().classes("gap-2 items-center"):
            ui.icon("done_all").classes("muted")
            ui.label(f"/{name} was here already, just the same").classes("muted")
    if report.left_out:
        ui.label(f"Left out ({len(report.left_out) + report.more:,})").classes("text-weight-medium")
        with ui.element("table").classes("grid-table"), ui.element("tbody"):
            for what, why in report.left_out:
                with ui.element("tr"):
                    with ui.element("td").classes("mono").style("overflow-wrap: anywhere"):
                        ui.label(what)
                    with ui.element("td").classes("small"):
                        ui.label(why)
        if report.more:
            ui.label(f"and {report.more:,} more").classes("small muted")

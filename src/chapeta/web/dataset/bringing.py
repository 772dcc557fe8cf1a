"""A file becomes a dataset, or is added to one; what is in it is shown before anything enters."""

from __future__ import annotations

import shutil
from pathlib import Path

from nicegui import events, ui

from chapeta.errors import ChapetaError
from chapeta.examples import datasets
from chapeta.examples.check import CheckReport, check
from chapeta.files import passing_folder
from chapeta.web import checked
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import say
from chapeta.web.services import slow
from chapeta.web.specialise.reading import bad_rows, refused

MOST_UPLOAD_BYTES = 500_000_000
LABEL = "Drop a file here: CSV, JSONL, Parquet, ShareGPT, Alpaca …"


class Bringing:
    """Where a file is dropped. name: of the dataset it is added to, "" where that is still to be chosen."""

    def __init__(self, name: str = "") -> None:
        self._name = name
        with ui.element("div").classes("w-full give"):
            self._drop = ui.upload(
                label=LABEL, on_upload=self._dropped, auto_upload=True, max_file_size=MOST_UPLOAD_BYTES,
                on_rejected=lambda: say("That file is larger than 500 MB."),
            )  # fmt: skip
        self._drop.props('flat bordered aria-label="A file of examples"').classes("w-full")
        self._place = ui.column().classes("w-full")

    async def _dropped(self, given: events.UploadEventArguments) -> None:
        folder = passing_folder()
        file = folder / (Path(given.file.name).name or "examples")
        await given.file.save(file)
        with self._place:
            self._drop.reset()
            try:
                report = await slow(check, file)
            except ChapetaError as error:
                refused(self._place, error)
                shutil.rmtree(folder, ignore_errors=True)
                return
            self._place.clear()
            _Offer(file, report, self._name)


class _Offer:
    """What is in a file, and the button that adds it."""

    def __init__(self, file: Path, report: CheckReport, name: str) -> None:
        self._file = file
        with opened_dialog(file.name, classes="gap-2") as self._dialog:
            for kind, line in checked.lines(report):
                ui.label(line).classes(f"small {kind}")
            bad_rows(report)
            self._name = ui.input("Add to the dataset", value=name or file.name.split(".")[0][:60])
            self._name.props("outlined dense").classes("w-full").set_enabled(not name)
            self._problem = ui.label().classes("small bad").props("role=alert")
            with ui.row().classes("w-full justify-end"):
                ui.button("Cancel", on_click=self._dialog.close, color=None).props("flat no-caps")
                add = ui.button(f"Add {report.good:,} examples", on_click=self._add).props("unelevated no-caps")
                add.set_enabled(report.good > 0)
        self._dialog.on("hide", lambda: shutil.rmtree(file.parent, ignore_errors=True))

    async def _add(self) -> None:
        name = (self._name.value or "").strip()
        try:
            added, _ = await slow(datasets.import_file, name, self._file)
        except ChapetaError as error:
            self._problem.set_text(str(error))
            return
        say(f"{added:,} examples are in {name} now.", "positive")
        ui.navigate.to(f"/examples/{name}")

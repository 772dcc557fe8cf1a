"""A dataset checked, and as a run would split it: both in a dialog over its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.examples import datasets
from chapeta.examples.check import CheckReport
from chapeta.examples.split import Splits
from chapeta.web import checked
from chapeta.web.ask import ask
from chapeta.web.dialogs import opened_dialog
from chapeta.web.services import thread
from chapeta.web.specialise.reading import bad_rows

Found = TypeVar("Found")
SHOWN_LINES = 6
RULE = (
    "A fifth of the rows is kept for measuring (300 where that is more, at most two fifths), a tenth for choosing between "
    "versions. Labels keep their shares. Rows that are nearly the same, or belong to one group, stay together, so that "
    "nothing that is learned is asked again. The same rows are always split in the same way, whatever their order."
)


async def show_check(name: str) -> None:
    """What is wrong with it, and where."""
    await _in_dialog(f"Checked: {name}", lambda: datasets.check(name), _checked)


async def show_split(name: str) -> None:
    """How many rows a run learns from, chooses by and measures with, and by which rule."""
    await _in_dialog(f"Split: {name}", lambda: datasets.split(name), _split)


async def _in_dialog(title: str, find: Callable[[], Found], show: Callable[[Found], None]) -> None:
    """Opens at once, as large datasets take their time; `find` runs in a thread, `show` fills the dialog."""
    with opened_dialog(title, classes="gap-2") as dialog:
        place = ui.column().classes("w-full gap-2").props("role=status")
        with place:
            ui.spinner(size="1.4em")
        with ui.row().classes("w-full justify-end"):
            ui.button("Close", on_click=dialog.close).props("unelevated no-caps autofocus")
    problem = ""
    try:
        found = await thread(find)
    except ChapetaError as error:
        problem = str(error)
    if place.is_deleted:
        return
    place.clear()
    with place:
        if problem:
            ui.label(problem).classes("bad")
        else:
            show(found)


def _checked(report: CheckReport) -> None:
    for kind, line in checked.lines(report):
        ui.label(line).classes(f"small {kind}")
    bad_rows(report)
    _where("Nearly the same", report.near_clusters)
    _where("The same question, different answers", report.conflict_lines)
    _found(report)


def _split(splits: Splits) -> None:
    _shares(splits)
    report = splits.report
    if report.stratified_by:
        ui.label(f"In proportion by {report.stratified_by}.").classes("small")
    if report.duplicates_dropped:
        ui.label(f"{report.duplicates_dropped:,} rows that repeat another are left out.").classes("small")
    if report.near_duplicates:
        ui.label(f"{report.near_duplicates:,} rows stay together with one that is nearly the same.").classes("small")
    for note in report.notes:
        ui.label(note).classes("small warn")
    ui.label(RULE).classes("small muted")


def _shares(splits: Splits) -> None:
    parts = (
        ("to learn from (train)", len(splits.train), "var(--c-accent)"),
        ("to choose by (validation)", len(splits.validation), "var(--c-warn)"),
        ("to measure with (test)", len(splits.test), "var(--c-muted)"),
    )
    with ui.element("div").classes("shares").props("aria-hidden=true"):
        for _, rows, colour in parts:
            ui.element("span").style(f"flex: {max(rows, 1)} 1 0; background: {colour}")
    for text, rows, colour in parts:
        with ui.row().classes("items-center gap-2 no-wrap"):
            ui.element("span").style(f"width: 10px; height: 10px; border-radius: 3px; background: {colour}")
            ui.label(f"{rows:,} {text}")
            if text.startswith("to measure"):
                ask("held-out-test-set")


def _where(text: str, groups: tuple[tuple[int, ...], ...]) -> None:
    """Lines of the file that belong together; a dataset's rows are counted in the same way."""
    if groups:
        with ui.expansion(f"{text}: where").classes("w-full small"):
            for group in groups[:SHOWN_LINES]:
                ui.label(f"rows {', '.join(f'{line:,}' for line in group)}").classes("small muted")


def _found(report: CheckReport) -> None:
    if report.findings:
        with ui.expansion("Secrets and personal data: where").classes("w-full small"):
            for one in report.findings[:SHOWN_LINES]:
                ui.label(f"row {one.line:,}: {one.kind} {one.value}").classes("small warn")

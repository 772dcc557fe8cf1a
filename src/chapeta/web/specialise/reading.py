"""What was read of a file and what is wrong with it, in place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.examples.check import CheckReport
from chapeta.jobs.planned import Looked
from chapeta.types import Example
from chapeta.web import checked

SHOWN_BAD, SHOWN_ROWS = 5, 3


class Telling(Protocol):
    """What is at work, and how far it is, from 0 to 1."""

    title: str
    share: float | None


@contextlib.contextmanager
def waiting(place: ui.column, stage: Telling, every_s: float) -> Iterator[None]:
    """Says in place what reading is at, until the block is left."""
    place.clear()
    with place, ui.row().classes("items-center gap-2").props("role=status"):
        ui.spinner(size="1.3em")
        label = ui.label("Reading …").classes("muted")

        def tell() -> None:
            share = f", {stage.share:.0%}" if stage.share is not None else ""
            label.set_text(f"{stage.title or 'Reading'} …{share}")

        ui.timer(every_s, tell)
    try:
        yield
    finally:
        if not place.is_deleted:
            place.clear()


def refused(place: ui.column, error: ChapetaError, source: str = "", name: str = "") -> None:
    """Why a file cannot be read, and the next step. Its place in the data directory means nothing to people."""
    place.clear()
    with place, ui.element("div").classes("notice bad").props("role=alert"):
        ui.label(error.message.replace(source, name) if source else error.message).style("overflow-wrap: anywhere")
        if error.remedy:
            ui.label(error.remedy).classes("small muted")


def shown(place: ui.column, looked: Looked, name: str) -> None:
    """The figures, what is wrong, and some rows as they were understood."""
    place.clear()
    with place:
        ui.label(name).classes("text-weight-medium").style("overflow-wrap: anywhere")
        columns = looked.columns
        if columns.input and columns.output:
            ui.label(f"Questions from “{columns.input}”, answers from “{columns.output}”.").classes("small")
        for kind, line in checked.lines(looked.report):
            ui.label(line).classes(f"small {kind}")
        bad_rows(looked.report)
        if looked.problem:
            ui.label(looked.problem).classes("notice bad").props("role=alert")
            return
        splits = looked.splits
        assert splits is not None
        for note in splits.report.notes:
            ui.label(note).classes("small warn")
        with ui.expansion("The first rows as they were understood").classes("w-full small"):
            for row in splits.train[:SHOWN_ROWS]:
                _row(row)


def bad_rows(report: CheckReport) -> None:
    """The first rows that cannot be used: where, why, what to do."""
    if not report.bad_rows:
        return
    with ui.expansion(f"Rows that cannot be used ({report.bad:,})").classes("w-full small"):
        for row in report.bad_rows[:SHOWN_BAD]:
            ui.label(f"Line {row.line:,}: {row.reason} {row.remedy}").classes("bad")
            if row.value:
                ui.label(row.value).classes("mono muted").style("overflow-wrap: anywhere")


def _row(row: Example) -> None:
    with ui.column().classes("w-full gap-0 q-mb-sm"):
        for message in row.messages:
            ui.label(message.content).classes("muted clip")
        ui.label(row.answer).classes("text-weight-medium clip")

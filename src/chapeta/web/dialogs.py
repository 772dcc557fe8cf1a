"""Dialogs: open as soon as they are built, and gone from the page, not only out of sight, once they are closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from chapeta.web.ask import ask


@contextmanager
def opened_dialog(
    title: str, width: int = 620, *, term: str = "", classes: str = "", style: str = ""
) -> Iterator[ui.dialog]:
    """What is made inside the block stands in it. width: the most, in pixels; term: of the glossary, for a question mark;
    classes, style: of its card.
    """
    with ui.dialog() as dialog, ui.card().classes(f"w-full {classes}").style(f"max-width: {width}px; {style}"):
        if title:
            with ui.row(wrap=False).classes("items-center gap-1"):
                ui.label(title).classes("text-h6").style("overflow-wrap: anywhere")
                if term:
                    ask(term)
        yield dialog
    dialog.on("hide", dialog.delete)
    dialog.open()

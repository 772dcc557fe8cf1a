"""The question marks of the pages: a small button that says what a word means, and leads to its explanation."""

from __future__ import annotations

from nicegui import ui

from chapeta.web import glossary
from chapeta.web.labels import labelled


def ask(slug: str) -> None:
    """A question mark about a term of the glossary, where the page is being built. Raises Missing for an unknown one."""
    term = glossary.term(slug)
    button = labelled(ui.button("?", color=None).classes("ask"), f"What is {term.title}?")
    button.props('flat dense round no-caps aria-haspopup="dialog"')
    with button, ui.menu().classes("ask-about").props('role="dialog" anchor="bottom middle" self="top middle"'):
        ui.label(term.title).classes("text-weight-medium")
        ui.label(term.short).classes("small")
        ui.link("More", f"/help/{slug}").classes("small")

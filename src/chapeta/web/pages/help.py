"""Help: the words that people stumble over, searched and explained, each with the page that does it."""

from __future__ import annotations

from nicegui import ui

from chapeta.errors import Missing
from chapeta.web import glossary, palette
from chapeta.web.frame import frame, list_chats, title
from chapeta.web.markdown import render
from chapeta.web.services import Services

STEPS = (
    ("Ask something", "The model on this machine answers without a key.", "/"),
    ("Bring your own key", "Then hundreds of models answer, at their providers' price.", "/models"),
    ("Write a Skill", "Instructions that a model follows, kept in versions.", "/skills"),
    ("Collect examples", "Answers as they should be, from your chats or a file.", "/examples"),
    ("Specialise", "Measure prompt, Skill and fine-tuned model on your examples, and use the winner.", "/specialise"),
)


async def show(services: Services, name: str = "") -> None:
    with frame("Help", "/help"), ui.element("main").classes("page"):
        if name:
            _term(name)
        else:
            _overview()
    await list_chats(services)


def _overview() -> None:
    title("Help", "What Chapeta does, and the words of the field in plain ones.")
    with ui.row().classes("w-full gap-3"):
        for name, about, path in STEPS:
            with ui.link(target=path).classes("card").style("flex: 1 1 180px; text-decoration: none; color: inherit"):
                ui.label(name).classes("text-weight-medium")
                ui.label(about).classes("small muted")
    search = ui.input(placeholder="Search the glossary").props(
        'outlined dense clearable aria-label="Search the glossary"'
    )
    search.classes("w-full")
    place = ui.element("div").classes("w-full")

    def draw() -> None:
        found = glossary.search(search.value) if search.value else glossary.terms()
        place.clear()
        with place:
            for term in found:
                with ui.link(target=f"/help/{term.slug}").classes("term"):
                    ui.label(term.title).classes("text-weight-medium")
                    ui.label(term.short).classes("small muted")
            if not found:
                ui.label(f"No term has “{search.value}” in it.").classes("muted")

    search.props("debounce=150").on_value_change(draw)
    draw()
    ui.html('<h2 id="shortcuts">Keyboard shortcuts</h2>', sanitize=False)
    palette.list_shortcuts()


def _term(slug: str) -> None:
    try:
        term = glossary.term(slug)
    except Missing as error:
        title("No such term", error.message)
        ui.link("All terms", "/help")
        return
    ui.link("All terms", "/help").classes("small")
    title(term.title, term.short)
    body = glossary.TERM_LINK.sub(r"[\1](/help/\2)", term.body)
    ui.html(render(body, local_links=True), sanitize=False).classes("prose")
    if term.related:
        ui.html("<h2>Related</h2>", sanitize=False)
        for other in term.related:
            found = glossary.term(other)
            with ui.link(target=f"/help/{found.slug}").classes("term"):
                ui.label(found.title).classes("text-weight-medium")
                ui.label(found.short).classes("small muted")

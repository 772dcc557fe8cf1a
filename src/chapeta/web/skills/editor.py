"""One skill: its text with what it looks like and what it costs, saved as versions; one of others is shown to be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from nicegui import ui

from chapeta.chat.tokens import Estimate
from chapeta.errors import ChapetaError
from chapeta.skills import bring, library
from chapeta.skills.file import MAX_DESCRIPTION_CHARS, SKILL_FILE, parse_skill
from chapeta.skills.library import Entry
from chapeta.skills.store import ChangedMeanwhile
from chapeta.web.components.answer import Answer
from chapeta.web.frame import say, title
from chapeta.web.models.ask_key import sure
from chapeta.web.services import thread
from chapeta.web.skills import listing
from chapeta.web.skills.history import History
from chapeta.web.skills.scores import Scores

Again = Callable[[], Awaitable[None]]


async def show_skill(name: str, folder: str = "") -> None:
    """The page of a skill. folder: where one that is not ours lies."""
    ui.link("All Skills", "/skills").classes("small")
    try:
        entry, text, sha256 = await thread(_found, name, folder)
    except ChapetaError as error:
        title(f"/{name}")
        ui.label(str(error)).classes("notice bad")
        return
    title(f"/{entry.name}")
    if entry.place == "mine":
        await _own(entry, text, sha256)
    else:
        _read_only(entry, text)


def _found(name: str, folder: str) -> tuple[Entry, str, str]:
    """A skill of the library, its text and the hash of it. Raises Missing, BadInput. Blocks."""
    known = [one for one in library.entries() if one.name == name]
    wanted = [one for one in known if (str(one.folder) == folder if folder else one.place == "mine")]
    entry = (wanted or known or [library.find(name).entry])[0]
    return entry, *library.source(entry)


async def _own(entry: Entry, source: str, sha256: str) -> None:
    name, based_on = entry.name, [sha256]

    async def nothing() -> None: ...

    with ui.row().classes("items-center gap-2"):
        if not entry.fault:
            listing.switch(entry, nothing)
    listing.remarks(entry)
    text = _editor(source, name)
    problem = ui.label("").classes("small bad").props("role=alert")

    async def save() -> None:
        problem.text = ""
        try:
            saved = await thread(library.save, name, text.value or "", based_on[0])
        except ChangedMeanwhile as error:
            problem.text = str(error)
            based_on[0] = error.sha256  # seen and said: saving again is meant
            await history.draw()
            return
        except ChapetaError as error:
            problem.text = str(error)
            return
        based_on[0] = saved.sha256
        say(f"Saved as version {saved.version.number}.", "positive")
        for warning in saved.warnings:
            say(warning, "warning")
        await history.draw()
        await scores.draw()

    async def delete() -> None:
        if not await sure(f"Delete /{name}? It can be brought back from the list of Skills.", "Delete"):
            return
        try:
            await thread(library.delete, name)
        except ChapetaError as error:
            say(error)
            return
        ui.navigate.to("/skills")

    def back(restored: str, digest: str) -> None:
        """Shows the version that is the newest now."""
        text.value = restored
        based_on[0] = digest

    talk = partial(ui.navigate.to, f"/?skill={quote(name, safe='')}")
    with ui.row().classes("gap-2"):
        ui.button("Save", on_click=save).props("unelevated no-caps")
        ui.button("Talk with it", icon="chat", on_click=talk).props("flat no-caps")
        ui.button("Delete", on_click=delete).props("flat no-caps")
    text.on("keydown.ctrl.s.prevent", save)
    history = History(name, lambda: based_on[0], back)
    scores = Scores(name)
    await history.draw()
    await scores.begin()


def _read_only(entry: Entry, source: str) -> None:
    """A skill of the user's home or of a project, which is read where it is."""
    listing.remarks(entry)
    ui.label(str(entry.folder)).classes("mono muted").style("overflow-wrap: anywhere")

    async def copy() -> None:
        try:
            report = await thread(bring.bring_folder, entry.folder)
        except ChapetaError as error:
            say(error)
            return
        for what, why in report.left_out[:3]:
            say(f"{what}: {why}", "warning")
        if report.brought or report.already:
            ui.navigate.to(f"/skills/{report.brought[0].name if report.brought else report.already[0]}")

    with ui.element("div").classes("card").style("overflow: auto"):
        Answer(body(source))
    with ui.row().classes("gap-2"):
        ui.button("Copy it into my Skills", icon="content_copy", on_click=copy).props("unelevated no-caps")


def _editor(source: str, name: str) -> ui.textarea:
    """The text on the left; on the right what it looks like; below what it costs, or what is wrong with it."""
    count = Estimate()
    with ui.row().classes("w-full gap-4 items-stretch"):
        with ui.column().classes("gap-1").style("flex: 1 1 420px; min-width: 0"):
            text = ui.textarea(value=source).props("outlined input-style=min-height:52vh aria-label='SKILL.md'")
            text.classes("w-full mono")
            price = ui.label("").classes("small muted").props("role=status")
        with ui.element("div").classes("card").style("flex: 1 1 320px; min-width: 0; overflow: auto; max-height: 62vh"):
            preview = Answer(body(source))

    def told() -> None:
        said, kind = cost(text.value or "", name, count)
        price.text = said
        price.classes(replace=f"small {kind}")

    def changed() -> None:
        preview.set(body(text.value or ""))
        told()

    told()
    text.on_value_change(changed)
    return text


def cost(source: str, name: str, count: Callable[[str], int]) -> tuple[str, str]:
    """What a text costs in each message, or why it cannot be saved; and how that is shown."""
    try:
        skill = parse_skill(source.encode("utf-8", "replace"), Path(name) / SKILL_FILE)
    except ChapetaError as error:
        return str(error).replace(f"{Path(name) / SKILL_FILE}", "The text"), "warn"
    described = f"description {len(skill.description):,} of {MAX_DESCRIPTION_CHARS:,} characters"
    return f"about {count(skill.body):,} tokens in every message; {described}", "muted"


def body(source: str) -> str:
    """The Markdown below the head."""
    parts = source.split("---", 2)
    return parts[2] if source.startswith("---") and len(parts) == 3 else source

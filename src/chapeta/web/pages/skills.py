"""Skills: the library, an editor with the price in tokens beside it, versions with what changed, and import."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from nicegui import events, ui

from chapeta.chat.tokens import Estimate
from chapeta.errors import ChapetaError
from chapeta.skills import bring, library, store, versions
from chapeta.skills.library import Entry
from chapeta.web import words
from chapeta.web.components.answer import Answer
from chapeta.web.frame import frame, list_chats, say, title
from chapeta.web.services import Services, thread

Again = Callable[[], Awaitable[None]]
LEAD = (
    "Instructions that a model follows. A Skill is plain text in a folder of the Agent Skills standard, so other programs "
    "read it too."
)
USES = {"hand": "you pick it", "model": "a model may choose it", "always": "always on", "off": "off"}
PLACES = {"mine": "", "user": "your .agents or .claude folder", "project": "a project's folder"}
NEW = "---\nname: my-skill\ndescription: What it does, and when to use it.\n---\n\nAnswer in two sentences.\n"
MOST_UPLOAD_BYTES = 50_000_000


async def show(services: Services, name: str = "") -> None:
    with frame("Skills", "/skills"), ui.element("main").classes("page"):
        if name:
            await _skill(name)
        else:
            await _library()
    await list_chats(services)


async def _library() -> None:
    title("Skills", LEAD)
    with ui.row().classes("gap-2"):
        ui.button("Write one", icon="add", on_click=lambda: _paste(NEW)).props("unelevated no-caps dense")
        ui.button("Paste one", icon="content_paste", on_click=lambda: _paste("")).props("flat no-caps dense")
    _upload()
    try:
        entries = await thread(library.entries, count=Estimate())
    except ChapetaError as error:
        ui.label(str(error)).classes("notice bad")
        return
    if not entries:
        ui.label("No Skills yet.").classes("muted")
        return
    with (
        ui.element("div").classes("card").style("padding: 0"),
        ui.element("table").classes("grid-table"),
        ui.element("tbody"),
    ):
        for entry in entries:
            _line(entry)


def _line(entry: Entry) -> None:
    with ui.element("tr"):
        with ui.element("td"):
            if entry.place == "mine" and not entry.fault:
                ui.link(f"/{entry.name}", f"/skills/{entry.name}").classes("text-weight-medium")
            else:
                ui.label(f"/{entry.name}").classes("text-weight-medium")
            ui.label(entry.description).classes("small muted")
            for wrong in (entry.fault, *entry.warnings[:2]):
                if wrong:
                    ui.label(wrong).classes("small bad" if wrong == entry.fault else "small warn")
            if entry.needs_trust:
                ui.label("It waits for your trust: `chapeta skills trust FOLDER`.").classes("small warn")
            if PLACES[entry.place]:
                ui.label(PLACES[entry.place]).classes("small muted")
        with ui.element("td").classes("num muted"):
            ui.label(f"about {words.tokens(entry.tokens)} tokens" if entry.tokens is not None else "")
        with ui.element("td").classes("num"):
            use = ui.select(USES, value=entry.use).props(
                f'dense borderless options-dense aria-label="How {entry.name} is used"'
            )
            use.on_value_change(lambda event: thread(library.use, entry, event.value))


def _upload() -> None:
    async def take(given: events.UploadEventArguments) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(given.file.name).name
            await given.file.save(file)
            try:
                if file.suffix.lower() in (".zip", ".skill"):
                    report = await thread(bring.bring_zip, file)
                    for what, why in report.left_out[:4]:
                        ui.notify(f"Not taken: {what}: {why}", type="warning", position="top")
                else:
                    text = file.read_text(encoding="utf-8", errors="replace")
                    await thread(bring.bring_text, text)
            except ChapetaError as error:
                say(error)
                return
        ui.navigate.to("/skills")

    ui.upload(
        label="Drop a Skill here: a ZIP, or a SKILL.md", on_upload=take, auto_upload=True,
        max_file_size=MOST_UPLOAD_BYTES, on_rejected=lambda: say("That file is larger than 50 MB."),
    ).props("flat").classes("w-full")  # fmt: skip


def _paste(start: str) -> None:
    with ui.dialog() as dialog, ui.card().classes("w-full").style("max-width: 760px"):
        ui.label("A new Skill").classes("text-h6")
        text = ui.textarea(value=start, placeholder="With or without a head of name and description").props(
            "outlined input-style=min-height:40vh"
        )
        text.classes("w-full mono")

        async def keep() -> None:
            try:
                saved = await thread(bring.bring_text, text.value or "")
            except ChapetaError as error:
                say(error)
                return
            dialog.close()
            ui.navigate.to(f"/skills/{saved.name}")

        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            ui.button("Keep", on_click=keep).props("unelevated no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()


async def _skill(name: str) -> None:
    ui.link("All Skills", "/skills").classes("small")
    title(f"/{name}")
    entry = next((one for one in await thread(library.entries) if one.name == name and one.place == "mine"), None)
    if entry is None:
        ui.label(f"There is no Skill '{name}' of yours.").classes("notice bad")
        return
    source, sha256 = await thread(library.source, entry)
    based_on = [sha256]
    text = _editor(source)
    history = ui.column().classes("w-full gap-1")

    async def save() -> None:
        try:
            saved = await thread(store.save, name, text.value or "", based_on[0])
        except store.ChangedMeanwhile as error:
            say(error)
            await _history(name, history)
            return
        except ChapetaError as error:
            say(error)
            return
        based_on[0] = saved.sha256
        ui.notify(f"Saved as version {saved.version.number}.", type="positive", position="top")
        await _history(name, history)

    async def delete() -> None:
        await thread(store.delete, name)
        ui.notify("Deleted; `chapeta skills undelete` brings it back.", position="top")
        ui.navigate.to("/skills")

    with ui.row().classes("gap-2"):
        ui.button("Save", on_click=save).props("unelevated no-caps")
        ui.button("Talk with it", icon="chat", on_click=lambda: ui.navigate.to(f"/?skill={name}")).props("flat no-caps")
        ui.button("Delete", on_click=delete).props("flat no-caps")
    await _history(name, history)


def _editor(source: str) -> ui.textarea:
    """The text on the left; on the right what it looks like, and its price."""
    count = Estimate()
    with ui.row().classes("w-full gap-4 items-stretch"):
        with ui.column().classes("gap-1").style("flex: 1 1 420px"):
            text = ui.textarea(value=source).props("outlined input-style=min-height:52vh aria-label='SKILL.md'")
            text.classes("w-full mono")
            price = ui.label(f"about {count(source):,} tokens in every message").classes("small muted")
        with ui.element("div").classes("card").style("flex: 1 1 320px; overflow: auto; max-height: 62vh"):
            preview = Answer(_body(source))

    def changed() -> None:
        price.text = f"about {count(text.value or ''):,} tokens in every message"
        preview.set(_body(text.value or ""))

    text.on_value_change(changed)
    return text


async def _history(name: str, place: ui.column) -> None:
    """The latest versions, what each changed, and the way back to it."""
    found = await thread(versions.versions, name)
    place.clear()
    with place:
        ui.html("<h2>Versions</h2>", sanitize=False)
        for one in reversed(found[-20:]):
            with ui.row().classes("items-center gap-2"):
                ui.label(f"{one.number}").classes("mono")
                ui.label(f"{words.when(one.saved_s)} {one.note}").classes("small muted")
                if one.number > 1:
                    _small("What changed", partial(_diff, name, one.number - 1, one.number))
                if one.number != found[-1].number:
                    _small("Back to this", partial(_restore, name, one.number))


def _small(label: str, act: Callable[[], Awaitable[None]]) -> None:
    ui.button(label, on_click=act).props("flat dense no-caps size=sm")


async def _restore(name: str, number: int) -> None:
    try:
        await thread(store.restore, name, number)
    except ChapetaError as error:
        say(error)
        return
    ui.navigate.to(f"/skills/{name}")


async def _diff(name: str, before: int, after: int) -> None:
    lines = await thread(versions.diff, name, before, after)
    with ui.dialog() as dialog, ui.card().classes("w-full").style("max-width: 820px; max-height: 84vh"):
        ui.label(f"From version {before} to {after}").classes("text-h6")
        with ui.element("div").classes("diff"):
            for line in lines:
                mark = {"added": "+", "removed": "−"}.get(line.kind, " ")
                ui.label(f"{mark} {line.text}").classes(f"diff-{line.kind}")
        ui.button("Close", on_click=dialog.close).props("unelevated no-caps")
    dialog.on("hide", dialog.delete)
    dialog.open()


def _body(source: str) -> str:
    """The Markdown below the head."""
    parts = source.split("---", 2)
    return parts[2] if source.startswith("---") and len(parts) == 3 else source

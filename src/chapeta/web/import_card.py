"""Bringing chats in: a place to drop an export, how far the import is, and what came over or why it did not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from nicegui import events, ui

from chapeta.chat.imports import Report
from chapeta.chat.imports.uploaded import Seen, Stopped, file_name, import_uploaded
from chapeta.errors import ChapetaError
from chapeta.files import passing
from chapeta.web.services import Services, slow

MOST_UPLOAD_BYTES = 8 << 30
MOST_FILES = 1000
MOST_NAMED = 20  # of what was left out, for each reason
LOOK_S = 0.2
LEAD = (
    "Drop what ChatGPT or Claude has sent you as it is: the ZIP, its conversations.json, or all files of it together. "
    "Chapeta's own JSON export works too. Nothing that is here is changed, and nothing comes over twice."
)
TOO_LARGE = f"That is more than {MOST_UPLOAD_BYTES >> 30} GB. `chapeta chats import FILE` takes larger exports."


class ImportCard:
    """`after`: what is done when chats have come over."""

    def __init__(self, services: Services, after: Callable[[], Awaitable[None]]) -> None:
        self._services = services
        self._after = after
        self._seen = Seen()
        with (
            ui.element("section")
            .classes("card column no-wrap")
            .style("gap: 10px")
            .props('aria-label="Import"') as self._card
        ):
            ui.label("Import chats").classes("text-weight-medium")
            ui.label(LEAD).classes("small muted")
            self._folder = ui.input("Put new chats into the folder (if you like)").props("outlined dense maxlength=200")
            self._folder.classes("full-width")
            self._upload = ui.upload(
                label="Drop the export here, or press + to choose it", multiple=True, auto_upload=True,
                on_begin_upload=lambda: self._card.set_visibility(True), on_multi_upload=self._take,
                on_rejected=lambda: self._fail(TOO_LARGE),
                max_total_size=MOST_UPLOAD_BYTES, max_files=MOST_FILES,
            ).props("flat").classes("full-width")  # fmt: skip
            self._upload.on("failed", lambda: self._fail("The file did not arrive here. Drop it again."), [])
            self._place = ui.column().classes("full-width").style("gap: 10px").props('aria-live="polite"')
        self._timer = ui.timer(LOOK_S, self._look, active=False)
        self._take_drops()

    @property
    def card(self) -> ui.element:
        return self._card

    def _take_drops(self) -> None:
        """A file may be dropped anywhere on the page; the browser would open it otherwise."""
        content = ui.context.client.content
        content.on("dragover", js_handler="(event) => event.preventDefault()")
        add = f"getElement({self._upload.id}).$refs.qRef.addFiles(event.dataTransfer.files)"
        content.on("drop", js_handler=f"(event) => {{ event.preventDefault(); {add}; }}")

    async def _take(self, given: events.MultiUploadEventArguments) -> None:
        self._upload.disable()
        try:
            with passing() as folder:
                if sum(file.size() for file in given.files) > MOST_UPLOAD_BYTES:
                    self._fail(TOO_LARGE)
                    return
                taken: set[str] = set()
                for file in given.files:
                    name = file_name(file.name, taken)
                    taken.add(name)
                    await file.save(folder / name)
                await self._import(folder)
        finally:
            self._upload.enable()
            self._upload.reset()

    async def _import(self, folder: Path) -> None:
        self._seen = seen = Seen()
        self._draw_progress()
        self._timer.activate()
        self._services.before_close.add(self._stop)
        try:
            put_into = (self._folder.value or "").strip()
            report = await slow(import_uploaded, folder, self._services.database, put_into=put_into, listener=seen)
        except Stopped:
            self._fail("Stopped. What had come over stays; import the same export again for the rest.")
        except ChapetaError as error:
            self._fail(error.message, error.remedy)
            return
        else:
            self._place.clear()
            with self._place:
                draw_report(report)
        finally:
            self._services.before_close.discard(self._stop)
            self._timer.deactivate()
        await self._after()

    def _draw_progress(self) -> None:
        self._place.clear()
        with self._place, ui.row(wrap=False).classes("full-width items-center"):
            self._bar = ui.linear_progress(value=0, show_value=False).props('aria-label="How far the import is"')
            self._note = ui.label("Reading …").classes("small muted no-wrap").style("min-width: 8em")
            ui.button("Stop", on_click=self._stop, color=None).props("flat dense no-caps")

    def _look(self) -> None:
        self._bar.value = self._seen.share
        self._note.text = self._seen.note or "Reading …"

    def _stop(self) -> None:
        self._seen.stop = True

    def _fail(self, message: str, remedy: str = "") -> None:
        self._card.set_visibility(True)
        self._place.clear()
        with self._place, ui.element("div").classes("notice bad").props('role="alert"'):
            ui.label(message).style("overflow-wrap: anywhere")
            ui.label(remedy).classes("small muted")


def draw_report(report: Report) -> None:
    """What came over in figures, and below them what did not, by reason."""
    nothing = not (report.chats or report.grown or report.turns)
    ui.label("Nothing new came over" if nothing else "This came over").classes("text-weight-medium").props(
        "role=status"
    )
    with ui.row().style("gap: 8px"):
        for count, name in (
            (report.chats, "new chats"), (report.turns, "messages"), (report.attachments, "images and files"),
            (report.grown, "chats that have grown"), (report.already_there, "chats that were here already"),
        ):  # fmt: skip
            if count or name in ("new chats", "messages"):
                with ui.element("div").classes("figure"):
                    ui.label(f"{count:,}").classes("figure-count")
                    ui.label(name).classes("small muted")
    if report.reasons:
        ui.label("This did not").classes("text-weight-medium")
        for why, count in sorted(report.reasons.items(), key=lambda item: -item[1]):
            _reason(why, count, [skipped.what for skipped in report.skipped if skipped.why == why])


def _reason(why: str, count: int, names: list[str]) -> None:
    with ui.expansion(f"{count:,} × {why}").props("dense").classes("full-width reason"):
        for name in names[:MOST_NAMED]:
            ui.label(name).classes("small muted").style("overflow-wrap: anywhere")
        if rest := count - min(len(names), MOST_NAMED):
            ui.label(f"and {rest:,} more").classes("small muted")

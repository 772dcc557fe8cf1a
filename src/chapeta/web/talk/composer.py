"""The box to write in: text, files by button, drop or paste, send and stop. What is not sent stays, with the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nicegui import events, ui

from chapeta.chat.types import Attachment
from chapeta.chat.window import Full
from chapeta.errors import ChapetaError
from chapeta.skills import library
from chapeta.types import Price
from chapeta.web import choices
from chapeta.web.services import slow, thread
from chapeta.web.talk.chips import Chips
from chapeta.web.talk.files import attach
from chapeta.web.talk.ways import draw_full

if TYPE_CHECKING:
    from chapeta.web.talk.view import Talk

MOST_FILE_BYTES = 30_000_000
MOST_TEXT = 200_000  # characters; each key sends the box to the page's process, which takes messages of up to 1 MB
LIST = "composer-skills"


class Composer:
    """Belongs to one page."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._busy = False
        self._uploading = False
        self._reading: list[str] = []
        self.place = ui.element("div").classes("composer").props(f"data-most={MOST_TEXT}")
        self.place.on("skills", self._offer_skills, []).on("note", self._note_of_the_page, ["detail"])
        with self.place:
            self._notes = ui.element("div").classes("notes").props('role="alert"')
            self._chips = Chips()
            self._state = ui.label().classes("small muted").props('role="status"')
            self._state.set_visibility(False)
            ui.element("ul").classes("complete").props(f'id={LIST} role="listbox" aria-label="Skills" hidden')
            self._box = ui.textarea(placeholder="Message").props(
                'autogrow borderless dense rows=1 input-style="max-height:40vh" aria-label="Message" autofocus'
            )
            self._box.classes("w-full")
            self._box.on("keydown.enter", self._send, js_handler=SENDS)
            with ui.element("div").classes("composer-row"):
                self._draw_row()

    def busy(self, busy: bool) -> None:
        """Whether an answer is coming: the button stops it then."""
        self._busy = busy
        name = "Stop" if busy else "Send"
        self._button.props(f'icon={"stop" if busy else "arrow_upward"} aria-label="{name}"')

    def take_files(self) -> list[Attachment]:
        """The files of the message that is about to be sent."""
        return self._chips.take()

    def give_back(self, text: str, error: ChapetaError | None = None) -> None:
        """The message was not sent: it stands in the box again with its files, and why, with what helps."""
        # by the browser: what it reports of the box that was emptied may come after this, and would empty it for good
        self._box.client.run_javascript(f"chapetaComposer.giveBack({json.dumps(text)})")
        self._chips.give_back()
        if error is not None:
            self.refuse(error)

    def refuse(self, error: ChapetaError) -> None:
        """Says in place why something was not done, and offers what helps."""
        if isinstance(error, Full):
            self._notes.clear()
            with self._notes:
                draw_full(self._talk, error, self._notes.clear)
        else:
            self._note(str(error))

    def send_in_parts(self, ids: tuple[str, ...]) -> None:
        """Of these files, as far as they are not sent yet, only the relevant parts will be."""
        self._chips.in_parts(ids)

    async def reprice(self) -> None:
        """The model has changed, and with it what the files cost."""
        if self._chips.files:
            self._chips.draw(await thread(choices.price_of, self._talk.model))

    def _draw_row(self) -> None:
        self._upload = ui.upload(
            on_upload=self._take, auto_upload=True, multiple=True, max_file_size=MOST_FILE_BYTES
        ).classes("hidden")
        self._upload.on("added", js_handler="(files) => window.chapetaComposer?.added(files)")
        self._upload.on("start", lambda: self._set_uploading(True), [])
        # a file that is still in its list would be refused when it is added again
        empty = f"() => {{ getElement({self._upload.id}).$refs.qRef.reset(); emit() }}"
        self._upload.on("finish", lambda: self._set_uploading(False), [], js_handler=empty)
        self._upload.on("rejected", self._rejected, js_handler=NAMES)
        self._upload.on("failed", lambda: self._note("A file did not arrive here. Add it again."), [])
        button = ui.button(icon="attach_file", on_click=lambda: self._upload.run_method("pickFiles"), color=None)
        with button.props('flat dense round aria-label="Add images or documents"').classes("muted"):
            ui.tooltip("Add images or documents; or drop them, or paste a picture")
        ui.element("div").classes("spread")
        self._button = ui.button(icon="arrow_upward", on_click=self._act)
        self._button.props('unelevated round dense aria-label="Send"')

    async def _act(self) -> None:
        await (self._talk.stop() if self._busy else self._send())

    async def _send(self) -> None:
        text = self._box.value or ""
        if self._busy:
            return
        if self._uploading or self._reading:
            self._note("A file is still being read. Send the message when it is there.")
            return
        self._notes.clear()
        if not text.strip() and not self._chips.files:
            self._note("Write a message first.")
            return
        self._box.value = ""
        try:
            await self._talk.send(text)
        except Exception:  # whatever it is, what was written is not lost
            self.give_back(text)
            raise

    async def _take(self, given: events.UploadEventArguments) -> None:
        name = given.file.name
        self._reading.append(name)
        self._show_state()
        try:
            known, price = await thread(_known, self._talk.model)
            taken = await slow(attach, name, await given.file.read(), known.context_tokens)
        except ChapetaError as error:
            self._note(str(error))
            return
        finally:
            self._reading.remove(name)
            self._show_state()
        self._chips.add(taken.attachment, price)
        for warning in taken.warnings:
            self._note(f"{taken.attachment.name}: {warning}", bad=False)

    def _set_uploading(self, uploading: bool) -> None:
        self._uploading = uploading
        self._show_state()

    def _show_state(self) -> None:
        names = ", ".join(self._reading)
        self._state.set_text(f"Reading {names} …" if names else "Taking files …")
        self._state.set_visibility(self._uploading or bool(names))

    def _rejected(self, event: events.GenericEventArguments) -> None:
        for name, size in event.args:
            most = MOST_FILE_BYTES // 1_000_000
            self._note(f"{name} has {size / 1e6:,.0f} MB; {most} MB are the most. Add a part of it, or a smaller copy.")

    def _note_of_the_page(self, event: events.GenericEventArguments) -> None:
        """The page's script has something to say; with `held`, it holds a text that can become a document."""
        told: dict[str, Any] = event.args["detail"]
        actions = {}
        if told.get("held"):
            actions = {
                "Add it as a document": "chapetaComposer.asDocument()",
                "Leave it out": "chapetaComposer.forget()",
            }
        self._note(str(told["text"]), actions=actions)

    def _note(self, text: str, *, bad: bool = True, actions: dict[str, str] | None = None) -> None:
        """A line above the box until it is closed, or a message is sent. actions: names, and what the page then does."""
        with self._notes, ui.element("div").classes("notice bad" if bad else "notice") as note:
            ui.label(text).classes("spread")
            for name, code in (actions or {}).items():
                _button(name, note, code)
            if not actions:
                close = ui.button(icon="close", on_click=note.delete, color=None)
                close.props('flat dense round size=sm aria-label="Close"')

    async def _offer_skills(self) -> None:
        """The skills that can be asked for by name, for what is typed after "/"."""
        entries = [entry for entry in await thread(library.entries) if entry.enabled and entry.by_hand]
        lines = [{"name": entry.name, "about": entry.description} for entry in entries]
        ui.run_javascript(f"chapetaComposer.skills({json.dumps(lines)})")


def _known(model: str) -> tuple[choices.Choice, Price | None]:
    return choices.find(model), choices.price_of(model)


def _button(name: str, note: ui.element, code: str) -> None:
    def act() -> None:
        ui.run_javascript(code)
        note.delete()

    ui.button(name, on_click=act, color=None).props("flat dense no-caps")


# Shift+Enter makes a new line, and so does Enter while an input method composes a word
SENDS = "(event) => { if (!event.shiftKey && !event.isComposing) emit() }"
NAMES = "(list) => emit(list.map((one) => [one.file.name, one.file.size]))"

"""The box to write in: text, files by drop or paste, send and stop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nicegui import events, ui

from chapeta.chat.request import PASSAGE_TOKENS
from chapeta.chat.types import Attachment, Mode
from chapeta.errors import ChapetaError
from chapeta.web.frame import say
from chapeta.web.services import thread
from chapeta.web.talk.files import attach

if TYPE_CHECKING:
    from chapeta.web.talk.view import Talk

MOST_FILE_BYTES = 30_000_000
MOST_TEXT = 2_000_000
RELEVANT = f"relevant parts, at most {PASSAGE_TOKENS:,} tokens"


class Composer:
    """Belongs to one page."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._files: list[Attachment] = []
        self._busy = False
        with ui.element("div").classes("composer"):
            self._chips = ui.row().classes("gap-1")
            self._box = ui.textarea(placeholder="Message").props(
                'autogrow borderless dense rows=1 input-style="max-height:40vh" aria-label="Message" autofocus'
            )
            self._box.classes("w-full")
            self._box.on("keydown.enter", self._send, js_handler=SENDS)
            with ui.element("div").classes("composer-row"):
                self._upload = ui.upload(
                    on_upload=self._take, on_rejected=self._rejected, auto_upload=True, multiple=True,
                    max_file_size=MOST_FILE_BYTES,
                ).classes("hidden")  # fmt: skip
                button = ui.button(
                    icon="attach_file", on_click=lambda: self._upload.run_method("pickFiles"), color=None
                )
                with button.props('flat dense round aria-label="Add images or documents"').classes("muted"):
                    ui.tooltip("Add images or documents; or drop them, or paste a picture")
                ui.element("div").classes("spread")
                self._button = ui.button(icon="arrow_upward", on_click=self._act)
                self._button.props('unelevated round dense aria-label="Send"')

    def busy(self, busy: bool) -> None:
        """Whether an answer is coming: the button stops it then."""
        self._busy = busy
        name = "Stop" if busy else "Send"
        self._button.props(f'icon={"stop" if busy else "arrow_upward"} aria-label="{name}"')

    def take_files(self) -> list[Attachment]:
        files, self._files = self._files, []
        self._chips.clear()
        return files

    def give_back(self, text: str) -> None:
        """The message was not sent: it stands in the box again."""
        self._box.value = text

    async def _act(self) -> None:
        await (self._talk.stop() if self._busy else self._send())

    async def _send(self) -> None:
        text = self._box.value or ""
        if self._busy:
            return
        if not text.strip() and not self._files:
            say("Write a message first.", "info")
            return
        if len(text) > MOST_TEXT:
            say(f"The message has {len(text):,} characters; {MOST_TEXT:,} are the most. Add it as a file instead.")
            return
        self._box.value = ""
        await self._talk.send(text)

    async def _take(self, given: events.UploadEventArguments) -> None:
        data = await given.file.read()
        try:
            one = await thread(attach, given.file.name, data)
        except ChapetaError as error:
            say(error)
            return
        name = one.name
        self._files = [other for other in self._files if other.name != name] + [one]
        with self._chips, ui.element("div").classes("chip") as chip:
            ui.icon("image" if one.mode == "image" else "description")
            ui.label(one.name).classes("ellipsis").style("max-width: 14em")
            if one.mode != "image":
                modes = {"whole": f"whole text, about {one.tokens:,} tokens", "relevant": RELEVANT}
                choice = ui.select(modes, value=one.mode).props(
                    f'dense borderless options-dense aria-label="How much of {name}"'
                )
                choice.on_value_change(lambda event: self._replace(name, event.value)).classes("small")

            def remove() -> None:
                self._files = [other for other in self._files if other.name != name]
                chip.delete()

            ui.button(icon="close", on_click=remove).props(f'flat dense round size=xs aria-label="Remove {name}"')

    def _replace(self, name: str, mode: Mode) -> None:
        self._files = [replace(one, mode=mode) if one.name == name else one for one in self._files]

    def _rejected(self) -> None:
        say(f"That file is too large; {MOST_FILE_BYTES // 1_000_000} MB are the most.")


# Shift+Enter makes a new line, and so does Enter while an input method composes a word
SENDS = "(event) => { if (!event.shiftKey && !event.isComposing) emit() }"

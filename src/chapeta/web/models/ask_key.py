"""The dialogs that take a provider's key or an address: tried before it is stored, never shown again."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from nicegui import ui

from chapeta.errors import BadInput, ChapetaError
from chapeta.gateway import keys
from chapeta.gateway.keys import trial
from chapeta.gateway.keys.secret import secret_of
from chapeta.gateway.keys.trial import Tried
from chapeta.gateway.providers import addresses
from chapeta.gateway.providers.addresses import Address
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Price
from chapeta.web.dialogs import opened_dialog
from chapeta.web.frame import say
from chapeta.web.services import thread

Again = Callable[[], Awaitable[None]]
HIDDEN = "outlined dense type=password autocomplete=off spellcheck=false"


class Trial:
    """The end of such a dialog: what is wrong is said in it, what was refused can be stored all the same."""

    def __init__(self, dialog: ui.dialog, try_it: Callable[[], Tried], again: Again) -> None:
        self._dialog, self._try, self._again = dialog, try_it, again
        self._problem = ui.label("").classes("small bad").props("role=alert")
        with ui.row().classes("w-full justify-end items-center"):
            self._spinner = ui.spinner(size="1.2em")
            self._anyway = ui.button("Store it all the same", on_click=lambda: self.run(force=True)).props(
                "flat no-caps"
            )
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
            self._button = ui.button("Check and store", on_click=self.run).props("unelevated no-caps")
        self._spinner.set_visibility(False)
        self._anyway.set_visibility(False)

    async def run(self, force: bool = False) -> None:
        """Tries and stores; force: whatever the provider says."""
        self._wait(True)
        try:
            found = await thread(self._try)
            why = None if force else trial.refusal(found)
            where = "" if why else await thread(trial.store, found)
        except ChapetaError as error:
            self._refuse(str(error), False)
            return
        finally:
            self._wait(False)
        if why is not None:
            self._refuse(f"{why.message} {why.remedy} Nothing was stored.", True)
            return
        self._dialog.close()
        _tell(found, where)
        await self._again()

    def _wait(self, on: bool) -> None:
        self._spinner.set_visibility(on)
        self._button.set_enabled(not on)

    def _refuse(self, text: str, may_be_stored: bool) -> None:
        self._problem.text = text
        self._anyway.set_visibility(may_be_stored)


async def key(remote: Remote, again: Again) -> None:
    """Asks for a provider's key, tries it there, stores it. It cannot be read back from here."""
    with opened_dialog(f"Key of {remote.title}", 520) as dialog:
        if remote.key_page:
            ui.link("Make one on the provider's page", remote.key_page, new_tab=True)
        box = ui.input("Paste it here").props(f"{HIDDEN} autofocus").classes("w-full")

        def try_it() -> Tried:
            return trial.tried(
                _with_key(remote), dataclasses.replace(remote, needs_key=True), secret_of(box.value or "")
            )

        trying = Trial(dialog, try_it, again)
        box.on("keydown.enter", lambda: trying.run())


async def address(again: Again, remote: Remote | None = None, stored: Address | None = None) -> None:
    """Asks for an OpenAI-compatible server: Ollama, vLLM, LM Studio, llama.cpp, a company's own.

    remote: a known provider, to put it elsewhere; stored: what is kept of it.
    """
    with opened_dialog(f"Address of {remote.title}" if remote else "An OpenAI-compatible address", 520) as dialog:
        name = ui.input("Name", value=remote.name if remote else "", placeholder="my-server").props(
            "outlined dense autofocus"
        )
        name.classes("w-full").set_enabled(remote is None)
        url = ui.input("Address", value=remote.base_url if remote else "", placeholder="http://127.0.0.1:11434/v1")
        url.props("outlined dense inputmode=url spellcheck=false").classes("w-full")
        needs_key = ui.checkbox("It needs a key", value=remote.needs_key if remote else False)
        hint = "Its key; empty keeps the one there is" if remote else "Its key"
        secret = ui.input(hint).props(HIDDEN).classes("w-full").bind_visibility_from(needs_key, "value")
        with ui.expansion("What it costs").classes("w-full"), ui.row().classes("w-full"):
            price = stored.price if stored else None
            usd_in = ui.number("USD per million tokens in", value=price.input if price else None, min=0)
            usd_out = ui.number("and out", value=price.output if price else None, min=0)
            for box in (usd_in, usd_out):
                box.props("outlined dense clearable").style("flex: 1 1 150px")

        def try_it() -> Tried:
            named, at = (name.value or "").strip(), (url.value or "").strip()
            wanted = addresses.checked(named, at, bool(needs_key.value), _price(usd_in.value, usd_out.value))
            new = remote is None and named in addresses.remotes()
            if new:
                raise BadInput(f"There is a provider '{named}' already.", "Choose another name, or change that one.")
            there = addresses.remote_of(wanted)
            known = keys.find(there) if needs_key.value and not (secret.value or "").strip() else None
            typed = secret_of(secret.value or "") if needs_key.value and known is None else None
            return trial.tried(wanted, there, known or typed, is_new=known is None)

        trying = Trial(dialog, try_it, again)
        url.on("keydown.enter", lambda: trying.run())


async def sure(question: str, act: str = "Remove") -> bool:
    """Asks before something is gone."""
    with ui.dialog() as dialog, ui.card():
        ui.label(question)
        with ui.row().classes("w-full justify-end"):
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat no-caps autofocus")
            ui.button(act, on_click=lambda: dialog.submit(True), color="negative").props("unelevated no-caps")
    answer = await dialog
    dialog.delete()
    return bool(answer)


def _tell(found: Tried, where: str) -> None:
    stored = f"{found.remote.title}: stored" + (f" in {where}" if where else "") + "."
    told = trial.warnings(found)
    said = " ".join(
        [stored, *(f"{line}." if not line.endswith(".") else line for line in (*found.result.lines, *told))]
    )
    say(said, "warning" if told else "positive")


def _with_key(remote: Remote) -> Address | None:
    """The own address that a key is for, if it needed none so far: from now on it does."""
    stored = addresses.listed().get(remote.name)
    return dataclasses.replace(stored, needs_key=True) if stored and not stored.needs_key else None


def _price(usd_in: float | None, usd_out: float | None) -> Price | None:
    if usd_in is None and usd_out is None:
        return None
    if usd_in is None or usd_out is None:
        raise BadInput("The two prices belong together.", "Give both, 0 for what costs nothing.")
    return Price(usd_in, usd_out)

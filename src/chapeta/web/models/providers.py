"""The table of providers: whose key is here, where it is, what the provider says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from nicegui import ui

from chapeta.errors import ChapetaError
from chapeta.gateway import keys
from chapeta.gateway.catalog import RefreshResult, refresh
from chapeta.gateway.http.fetch import get_json
from chapeta.gateway.keys.check import KeyCheck, check
from chapeta.gateway.providers import addresses
from chapeta.gateway.providers.remote import Remote
from chapeta.web import words
from chapeta.web.frame import say
from chapeta.web.labels import labelled
from chapeta.web.models import ask_key
from chapeta.web.services import thread

Again = Callable[[], Awaitable[None]]
PLACES = {keys.KEYCHAIN: "in the system's keychain", keys.FILE: "in a file of yours"}


@dataclass(frozen=True, slots=True)
class Line:
    """A provider as the page shows it. mask: of its key, "" if there is none; mine: an address of the user's own.

    is_stored: a key can be removed here; problem: why what is there is no key.
    """

    remote: Remote
    mask: str
    where: str
    mine: bool
    is_stored: bool
    problem: str = ""


def lines() -> list[Line]:
    """The providers: those with a key or an own address first. Blocks; unlocks nothing."""
    remotes, own = addresses.remotes(), addresses.listed()
    facts = keys.listed(remotes)
    used = {one.name: one for one in facts if one.in_use}
    stored = {one.name for one in facts if one.where in PLACES}
    found = []
    for name, remote in remotes.items():
        fact = used.get(name)
        where = PLACES.get(fact.where, fact.where) if fact else ""
        mask, problem = (fact.mask, fact.problem) if fact else ("", "")
        found.append(Line(remote, "" if problem else mask, where, name in own, name in stored, problem))
    return sorted(found, key=lambda line: not (line.mask or line.mine or line.problem))


def check_all(found: list[Line]) -> dict[str, KeyCheck]:
    """What every provider that has a key, or is an own address, says; asked at the same time. Blocks."""

    def ask(line: Line) -> KeyCheck:
        try:
            return check(line.remote, keys.find(line.remote))
        except ChapetaError as error:
            return KeyCheck("unknown", str(error))

    asked = [line for line in found if line.mask or line.mine]
    with ThreadPoolExecutor(8) as pool:
        return {line.remote.name: result for line, result in zip(asked, pool.map(ask, asked), strict=True)}


class Providers:
    """The table on a page, with what the providers said to the last check."""

    def __init__(self, changed: Again) -> None:
        """changed: called after a key or an address has come, changed or gone."""
        self._changed = changed
        self._said: dict[str, KeyCheck] = {}
        self._place = ui.column().classes("w-full gap-2")

    async def renew(self) -> None:
        """Draws it anew, and tells that something has changed."""
        await self.draw()
        await self._changed()

    async def draw(self) -> None:
        with self._place:
            try:
                found = await thread(lines)
            except ChapetaError as error:
                self._place.clear()
                ui.label(str(error)).classes("notice bad")
                return
            self._place.clear()
            with ui.element("div").classes("card").style("padding: 4px 8px"):
                for line in found:
                    self._line(line)
            with ui.row().classes("gap-2"):
                ui.button("Add an address", icon="add", on_click=partial(ask_key.address, self.renew)).props(
                    "flat no-caps dense"
                )
                ui.button("Check all", icon="task_alt", on_click=partial(self._check, found)).props(
                    "flat no-caps dense"
                )

    def _line(self, line: Line) -> None:
        remote = line.remote
        with labelled(ui.element("div").classes("provider").props("role=group"), remote.title):
            with ui.column().classes("gap-0").style("flex: 1 1 200px; min-width: 0"):
                ui.label(remote.title).classes("text-weight-medium")
                if line.mine:
                    ui.label(remote.base_url).classes("mono muted").style("overflow-wrap: anywhere")
                    if remote.price is not None:
                        ui.label(f"{words.price(remote.price)} (USD per million tokens)").classes("small muted")
                self._result(remote.name)
            with ui.column().classes("gap-0").style("flex: 1 1 150px"):
                self._key(line)
            with ui.row().classes("gap-1 no-wrap"):
                self._acts(line)

    def _result(self, name: str) -> None:
        said = self._said.get(name)
        if said is None:
            return
        for text in said.lines or (said.reason or "good",):
            ui.label(text).classes({"ok": "small good", "refused": "small bad"}.get(said.state, "small warn"))

    def _key(self, line: Line) -> None:
        if line.problem:
            ui.label(line.problem).classes("small bad")
        elif line.mask:
            ui.label(line.mask).classes("mono")
            ui.label(line.where).classes("small muted")
        else:
            ui.label("no key" if line.remote.needs_key else "needs no key").classes("muted")

    def _acts(self, line: Line) -> None:
        remote = line.remote
        if remote.needs_key:
            text = "Change key" if line.mask else "Add key"
            ui.button(text, on_click=partial(ask_key.key, remote, self.renew)).props("flat dense no-caps")
        ready = bool(line.mask) or not remote.needs_key
        ui.button("Check", on_click=partial(self._check, [line])).props("flat dense no-caps").set_enabled(ready)
        more = labelled(ui.button(icon="more_vert").props("flat dense round"), f"More for {remote.title}")
        with more, ui.menu():
            ui.menu_item("Fetch its list of models", partial(self._refresh, remote))
            ui.menu_item("Another address, price" if line.mine else "Another address", partial(self._address, line))
            if line.is_stored or line.mine:
                what = "Remove its key" if line.is_stored and not line.mine else "Forget it"
                ui.menu_item(what, partial(self._remove, line))

    async def _address(self, line: Line) -> None:
        stored = (await thread(addresses.listed)).get(line.remote.name)
        with self._place:
            await ask_key.address(self.renew, line.remote, stored)

    async def _check(self, found: list[Line]) -> None:
        with self._place:
            waiting = ui.notification("Asking …", spinner=True, timeout=None, position="top")
            self._said |= await thread(check_all, [Line(one.remote, "?", "", True, False) for one in found
                                                   if one.mask or one.mine or not one.remote.needs_key])  # fmt: skip
            waiting.dismiss()
            await self.draw()

    async def _refresh(self, remote: Remote) -> None:
        with self._place:
            await fetch_lists({remote.name: remote})
        await self._changed()

    async def _remove(self, line: Line) -> None:
        name = line.remote.title
        what = f"the address of {name}, and its key if there is one" if line.mine else f"the key of {name}"
        with self._place:
            if not await ask_key.sure(f"Forget {what}? On this machine only."):
                return
            try:
                await thread(_forget, line)
            except ChapetaError as error:
                say(error)
            self._said.pop(line.remote.name, None)
            await self.renew()


async def fetch_lists(remotes: dict[str, Remote]) -> list[RefreshResult]:
    """Fetches the providers' own lists of models, and says in place what came."""
    waiting = ui.notification("Fetching the lists of models …", spinner=True, timeout=None, position="top")
    results = await thread(refresh, remotes, keys, get_json)
    waiting.dismiss()
    came = [f"{one.provider}: {one.models:,} models" for one in results if not one.reason]
    if came:
        say("; ".join(came), "positive")
    for one in results:
        if one.reason and (one.asked or len(remotes) == 1):
            say(f"{one.provider}: {one.reason}", "warning")
    if not came and not any(one.asked for one in results):
        say("No provider could be asked: put a key in first.", "info")
    return results


def _forget(line: Line) -> None:
    if line.is_stored:
        keys.remove(line.remote.name)
    if line.mine:
        addresses.remove(line.remote.name)
